/**
 * Ends the completion in front of lines that equal lines below the cursor. One line is enough when it
 * says something: the next one, or a line at column 0 further down (a function that the file has
 * already). Closing brackets must be the next line and be followed by a second equal line.
 */
import { isBlank } from '../text';
import { isDistinct, linesOf, type Rule } from './job';

export const followingLines: Rule = (text, job) => {
  const [next, second] = job.following;
  if (next === undefined) return text.length;
  const lines = linesOf(text, job).filter((line) => !isBlank(line.text));
  for (const [index, line] of lines.entries()) {
    const first = line.start === 0;
    if (first && !isBlank(job.left)) continue;
    const whole = ((first ? job.left : '') + line.text).trimEnd();
    if (line.open) continue;
    if (job.definitions.has(whole)) return line.cut;
    if (whole !== next) continue;
    if (isDistinct(next)) return line.cut;
    const after = lines[index + 1];
    if (after === undefined || after.open || second === undefined) continue;
    if (after.text.trimEnd() === second) return line.cut;
  }
  return text.length;
};
