/**
 * Instruct models fill the middle and then go on with the text that stands right of the cursor. Ends
 * the completion where it begins to repeat the rest of the cursor's line.
 *
 * Closing brackets alone are no evidence: replaceRange.ts deals with them.
 */
import { openQuote, unmatchedClosers } from './brackets';
import { isDistinct, type Job, type Rule } from './job';

/** A repetition that the token limit interrupted is believed from this length on. */
const SHORTEST_PART = 8;

export const copiedSuffix: Rule = (text, job) => {
  const rest = job.right.trimEnd();
  if (!isDistinct(rest)) return text.length;
  const newline = text.indexOf('\n');
  const line = newline < 0 ? text : text.slice(0, newline);
  const core = rest.trimStart();
  const whole = line.trimEnd();
  for (const copy of [rest, core]) {
    if (whole.endsWith(copy) && closesAsMuch(whole, core, job)) return whole.length - copy.length;
  }
  if (newline >= 0 || !job.complete) return text.length;
  for (let length = Math.min(core.length - 1, line.length); length >= SHORTEST_PART; length -= 1) {
    const part = core.slice(0, length);
    if (isDistinct(part) && line.endsWith(part)) return line.length - length;
  }
  return text.length;
};

/**
 * Whether `text` leaves as much for outer brackets as its copy of the suffix does: in
 * `f(|, b)` the end of `g(a, b)` is no copy, for its bracket is the text's own.
 */
function closesAsMuch(text: string, copy: string, job: Job): boolean {
  const quote = openQuote(job.left);
  return unmatchedClosers(text, quote).length >= unmatchedClosers(copy, quote).length;
}
