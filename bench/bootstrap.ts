/** The bootstrap that all benches take their intervals from. Pure. */
import { seededRandom } from '../src/decoding/random';
import type { Interval } from './infilling/statistics';

const RESAMPLES = 1000;

/** Groups of items that belong together, in the order of their first ones. */
export function clustersOf<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const clusters = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const cluster = clusters.get(key);
    if (cluster) cluster.push(item);
    else clusters.set(key, [item]);
  }
  return [...clusters.values()];
}

/**
 * 95 % percentile interval of a statistic over items drawn with replacement; the same every time. Items
 * are to be independent of one another: of clusters their totals are.
 */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (items: readonly T[]) => number,
  seed = 1,
): Interval {
  const random = seededRandom(seed);
  const draw = () => items[Math.floor(random() * items.length)] as T;
  const values = Array.from({ length: RESAMPLES }, () => statistic(items.map(draw)));
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.floor(share * (RESAMPLES - 1))] ?? NaN;
  return { low: at(0.025), high: at(0.975) };
}
