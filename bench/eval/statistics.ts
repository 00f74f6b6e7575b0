/** What the evidence is judged by. Pure; every function has tests against values made by hand or NumPy. */
import { bootstrap } from '../bootstrap';
import type { Interval } from '../infilling/statistics';

/** How far below plain decoding the lower end of the interval may lie: two points. */
export const SAME_QUALITY_MARGIN = 0.02;

export interface Difference {
  readonly tasks: number;
  /** Mean score of plain decoding, and of the other mode. */
  readonly plain: number;
  readonly own: number;
  /** Own less plain. */
  readonly difference: number;
  /** 95 %, bootstrap over tasks. */
  readonly interval: Interval;
}

/** A score of plain decoding on a task and another mode's on the same one; 0 and 1 for tests. */
export type ScorePair = readonly [plain: number, own: number];

/** Of paired scores; NaN without any. */
export function pairedDifference(pairs: readonly ScorePair[], seed = 1): Difference {
  const differences = pairs.map(([plain, own]) => own - plain);
  return {
    tasks: pairs.length,
    plain: mean(pairs.map(([plain]) => plain)),
    own: mean(pairs.map(([, own]) => own)),
    difference: mean(differences),
    interval: bootstrap(differences, mean, seed),
  };
}

/**
 * Whether a mode is as good as plain decoding: the lower end of the interval is no more than two points
 * below. Few tasks have a wide interval, and so seldom show it; none never do.
 */
export function sameQuality({ interval }: Pick<Difference, 'interval'>): boolean {
  return interval.low >= -SAME_QUALITY_MARGIN;
}

/** Share of steps with 1, 2, … tokens. */
export function stepShares(steps: readonly number[]): number[] {
  const longest = steps.reduce((most, n) => Math.max(most, n), 0);
  return Array.from(
    { length: longest },
    (_, i) => steps.filter((n) => n === i + 1).length / steps.length,
  );
}

/** Edits of one character that turn one text into the other; code points count. */
export function levenshtein(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  // The row of the table above the one that is made: distances of a's beginning to b's beginnings.
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, character] of a.entries()) {
    const row = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (above[j] ?? 0) + (character === b[j] ? 0 : 1);
      row.push(Math.min(replaced, (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    above = row;
  }
  return above[b.length] ?? 0;
}

/** 1 less the edits a character of the longer text; white space at the ends aside. In [0, 1]. */
export function editSimilarity(one: string, other: string): number {
  const [a, b] = [one.trimEnd(), other.trimEnd()];
  const longer = Math.max([...a].length, [...b].length);
  return longer === 0 ? 1 : 1 - levenshtein(a, b) / longer;
}

/** A straight line through points, by least squares. NaN through fewer than two. */
export function regression(points: readonly (readonly [x: number, y: number])[]): {
  readonly slope: number;
  readonly intercept: number;
} {
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  const spread = sum(points.map(([at]) => (at - x) ** 2));
  const slope = sum(points.map(([at, value]) => (at - x) * (value - y))) / spread;
  return { slope, intercept: y - slope * x };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

export const mean = (values: readonly number[]) => sum(values) / values.length;
