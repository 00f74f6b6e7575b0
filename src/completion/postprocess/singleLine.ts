/**
 * A single-line completion ends at the first line break behind any text. Line breaks in front of the
 * text stay, so that it may stand on the next line when the cursor's is finished.
 */
import type { Rule } from './job';

export const singleLine: Rule = (text, job) => {
  if (job.multiline) return text.length;
  const first = text.search(/\S/);
  const newline = first < 0 ? -1 : text.indexOf('\n', first);
  return newline < 0 ? text.length : newline;
};
