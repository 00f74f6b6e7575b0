/**
 * Drops a last line that only closes a block when the document closes that block already: on the
 * cursor's line, or with the first line below it that is indented no deeper.
 */
import { indentation, isBlank } from '../text';
import { unmatchedClosers } from './brackets';
import { isClosingLine, linesOf, type Rule } from './job';

export const closingLine: Rule = (text, job) => {
  const last = linesOf(text, job).findLast((line) => !isBlank(line.text));
  if (last === undefined || last.open || !isClosingLine(last.text)) return text.length;
  const first = last.start === 0;
  if (first && !isBlank(job.left)) return text.length;
  // What stands right of the cursor is replaced rather than repeated: see replaceRange.ts.
  if (!isBlank(job.right)) return text.length;
  const whole = first ? job.left + last.text : last.text;
  const closer = whole.trim().charAt(0);
  const bracket = /[)\]}]/.test(closer);
  if (bracket && !unmatchedClosers(text).includes(closer)) return text.length;
  const next = job.following.find((line) => indentation(line) <= indentation(whole));
  if (next === undefined) return text.length;
  const has = bracket
    ? next.trim().startsWith(closer)
    : isClosingLine(next) && next.trim().startsWith(whole.trim());
  // A shallower closer belongs to an outer block, which is not the one this line closes.
  return has && indentation(next) === indentation(whole) ? last.cut : text.length;
};
