/**
 * Cuts text that goes round in circles, keeping one round: the same line or group of lines three
 * times in a row at the end, or the same few characters many times.
 */
import { isBlank } from '../text';
import { linesOf, type Job, type Rule } from './job';

const MOST_LINES = 6;
const LINE_ROUNDS = 3;
const CHARACTER_ROUNDS = 6;
const SHORTEST_RUN = 40;
const MOST_PERIOD = 160;

export const repetition: Rule = (text, job) =>
  Math.min(
    repeatedLines(text, job),
    // Rulers of punctuation and short runs of zeros are written on purpose.
    repeatedEnd(text, CHARACTER_ROUNDS, SHORTEST_RUN, /[\p{L}\p{N}]/u),
  );

function repeatedLines(text: string, job: Job): number {
  const lines = linesOf(text, job).filter((line) => !isBlank(line.text));
  // The token limit may have cut the last line: then the rounds end before it.
  for (const tail of [0, 1]) {
    const end = lines.length - tail;
    for (let period = 1; period <= MOST_LINES && period * LINE_ROUNDS <= end; period += 1) {
      let start = end - period;
      while (start > 0 && lines[start - 1]?.text === lines[start - 1 + period]?.text) start -= 1;
      const rounds = Math.floor((end - start) / period);
      const words = lines.slice(start, start + period).some((line) => /\w{2}/.test(line.text));
      const cut = lines[start + period];
      const rest = tail === 0 ? '' : (lines[end]?.text ?? '');
      const continued = lines[end - period]?.text.startsWith(rest) ?? false;
      if (rounds >= LINE_ROUNDS && words && cut !== undefined && continued) return cut.cut;
    }
  }
  return text.length;
}

/**
 * Characters up to the end of the first round, when `text` ends in at least `rounds` rounds of at
 * most MOST_PERIOD characters, `shortest` characters together, each round matching `must`; else its
 * length. Of several such ends the longest counts.
 */
export function repeatedEnd(text: string, rounds: number, shortest = 0, must = /[^]/): number {
  let longest = 0;
  let keep = text.length;
  for (let period = 1; period <= MOST_PERIOD && period * rounds <= text.length; period += 1) {
    let start = text.length - period;
    while (start > 0 && text[start - 1] === text[start - 1 + period]) start -= 1;
    const length = text.length - start;
    if (length < Math.max(period * rounds, shortest) || length <= longest) continue;
    if (!must.test(text.slice(start, start + period))) continue;
    longest = length;
    keep = start + period;
  }
  return keep;
}
