/**
 * The repetition penalty: cells of J whose n-gram repeats are divided by it, once, however much they
 * repeat.
 *
 * The paper says that it divides n-grams that repeat a recent token. Read literally, and by default
 * (`'token'`): any token of the n-gram is among the recent ones. In code almost every n-gram holds
 * some recent token, so there is a second reading, `'ngram'`: the n-gram as a whole stands in the
 * recent text.
 */
import type { Cells } from './cells';
import type { Joint } from './joint';

export interface PenaltyOptions {
  /** At least 1; 1 changes nothing. */
  readonly penalty: number;
  /** How many of the latest tokens are recent. */
  readonly penaltyWindow: number;
  readonly repeats: 'token' | 'ngram';
}

/** Divides the values of the cells that repeat one of `recent`, the latest token last. */
export function penalise(
  cells: Cells,
  joint: Joint,
  order: number,
  recent: readonly number[],
  { penalty, penaltyWindow, repeats }: PenaltyOptions,
): void {
  if (penalty === 1 || penaltyWindow === 0 || recent.length === 0) return;
  const latest = recent.slice(-penaltyWindow);
  const known = new Set(latest);
  for (let i = 0; i < cells.count; i++) {
    const place = cells.places[i] ?? 0;
    const repeated =
      joint.holdsAny(order, place, known) &&
      (repeats === 'token' || contains(latest, joint.idsAt(order, place)));
    if (repeated) cells.values[i] = (cells.values[i] ?? 0) / penalty;
  }
}

/** Whether `part` stands in `text`, its tokens one after the other. */
function contains(text: readonly number[], part: readonly number[]): boolean {
  for (let start = 0; start + part.length <= text.length; start++) {
    if (part.every((id, i) => text[start + i] === id)) return true;
  }
  return false;
}
