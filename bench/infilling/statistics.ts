/** Statistics of pass/fail outcomes, alone and paired by task. Pure. */

import { Z_95 } from '../numbers';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Wilson's 95 % interval of a rate; [0, 1] without observations. */
export function rateInterval(passed: number, total: number): Interval {
  if (total === 0) return { low: 0, high: 1 };
  const rate = passed / total;
  const scale = 1 + Z_95 ** 2 / total;
  const centre = (rate + Z_95 ** 2 / (2 * total)) / scale;
  const half =
    (Z_95 / scale) * Math.sqrt((rate * (1 - rate)) / total + Z_95 ** 2 / (4 * total ** 2));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

export interface PairedComparison {
  readonly tasks: number;
  /** Tasks that both pass, only the first, only the second, neither: McNemar's table. */
  readonly both: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly neither: number;
  /** Second rate minus first rate. */
  readonly difference: number;
  /** 95 % interval of the difference, by the normal approximation of the paired differences. */
  readonly interval: Interval;
  /** Two-sided exact McNemar test: how likely so lopsided a split of the discordant tasks is. */
  readonly pValue: number;
}

/**
 * @param outcomes a pair a task: whether the first and the second passed it
 * @throws {RangeError} for fewer than two tasks, which have no variance
 */
export function comparePaired(
  outcomes: readonly (readonly [first: boolean, second: boolean])[],
): PairedComparison {
  const tasks = outcomes.length;
  if (tasks < 2) throw new RangeError('A paired comparison needs at least two common tasks.');
  let both = 0;
  let onlyFirst = 0;
  let onlySecond = 0;
  for (const [first, second] of outcomes) {
    if (first && second) both += 1;
    else if (first) onlyFirst += 1;
    else if (second) onlySecond += 1;
  }
  const discordant = onlyFirst + onlySecond;
  const difference = (onlySecond - onlyFirst) / tasks;
  // Each paired difference is -1, 0 or 1, so their squares sum to the discordant pairs.
  const variance = (discordant - tasks * difference ** 2) / (tasks - 1);
  const half = Z_95 * Math.sqrt(Math.max(0, variance) / tasks);
  return {
    tasks,
    both,
    onlyFirst,
    onlySecond,
    neither: tasks - both - discordant,
    difference,
    interval: { low: difference - half, high: difference + half },
    pValue: binomialTwoSided(Math.min(onlyFirst, onlySecond), discordant),
  };
}

/** Twice the lower tail of a fair coin's `total` throws up to `fewer`, at most 1. */
function binomialTwoSided(fewer: number, total: number): number {
  let logTerm = -total * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= fewer; k += 1) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((total - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}
