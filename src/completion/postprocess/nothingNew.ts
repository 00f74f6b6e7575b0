/** Drops text that is empty, blank, or the same lines as those that follow the cursor. */
import { isBlank } from '../text';
import type { Rule } from './job';

export const nothingNew: Rule = (text, job) => {
  if (isBlank(text)) return 0;
  const whole = isBlank(job.left) ? job.left + text : text;
  const meant = whole.split('\n').filter((line) => !isBlank(line));
  if (!isBlank(job.right)) {
    if (meant.shift()?.trim() !== job.right.trim()) return text.length;
  }
  const equal = meant.every((line, index) => line.trimEnd() === job.following[index]);
  return equal ? 0 : text.length;
};
