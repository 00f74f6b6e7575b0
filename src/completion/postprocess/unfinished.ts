/**
 * Drops the last line when the token limit or the deadline cut it short and whole lines stand before
 * it: half a line is of no use where several are shown.
 */
import { isBlank } from '../text';
import type { Rule } from './job';

export const unfinished: Rule = (text, job) => {
  const newline = text.lastIndexOf('\n');
  if (!job.interrupted || !job.multiline || newline < 0) return text.length;
  return isBlank(text.slice(0, newline)) ? text.length : newline;
};
