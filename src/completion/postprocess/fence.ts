/**
 * Instruct models close a Markdown code fence and then explain what they wrote. In code, ends the
 * completion in front of a line that is a fence.
 */
import { isProse } from '../text';
import { linesOf, type Rule } from './job';

export const fence: Rule = (text, job) => {
  if (isProse(job.context.language)) return text.length;
  const found = linesOf(text, job).find((line) => /^\s*```/.test(line.text));
  return found ? found.cut : text.length;
};
