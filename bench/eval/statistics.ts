/** What the evidence is judged by. Pure; every function has tests against values made by hand or NumPy. */
import { mean, sum } from '../numbers';
import type { Difference } from '../steps/paired';

/** How far below plain decoding the lower end of the interval may lie: two points. */
export const SAME_QUALITY_MARGIN = 0.02;

/**
 * Independent tasks, or problems and files that they are of, below which nothing is shown: with none worse
 * among 150, up to 3 in 150 may be (rule of three), which is the margin.
 */
export const FEWEST = 150;

/**
 * Whether a mode is as good as plain decoding: the lower end of the interval is no more than two points
 * below, and there is enough that it rests on.
 */
export function sameQuality({
  interval,
  clusters,
}: Pick<Difference, 'interval' | 'clusters'>): boolean {
  return clusters >= FEWEST && interval.low >= -SAME_QUALITY_MARGIN;
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
