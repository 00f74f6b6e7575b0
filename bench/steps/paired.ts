/**
 * Scores of a mode against plain decoding's on the same tasks: their difference, and how sure it is.
 * Pure; tests have values made by hand, by brute force or from Tango's paper.
 */
import { bootstrap } from '../bootstrap';
import type { Interval } from '../infilling/statistics';
import { mean, sum, Z_95 } from '../numbers';

/** A score of plain decoding on a task and another mode's on the same one; 0 and 1 for tests. */
export type ScorePair = readonly [plain: number, own: number];

export interface Difference {
  readonly tasks: number;
  /** Independent of each other: problems or files that the tasks are of. */
  readonly clusters: number;
  /** Mean score of plain decoding, and of the other mode. */
  readonly plain: number;
  readonly own: number;
  /** Own less plain. */
  readonly difference: number;
  /** 95 %. */
  readonly interval: Interval;
}

/** None of n is seen: 95 % sure that fewer than 3 in n are so. */
const RULE_OF_THREE = 3;

/**
 * Of paired scores, cluster by cluster; NaN without any. The interval is the wider one of two, at each
 * end: the bootstrap over clusters, which knows how alike their tasks are, and the one by events, which
 * knows that few clusters that differ, or none, say little about those that were not seen.
 */
export function pairedDifference(
  clusters: readonly (readonly ScorePair[])[],
  seed = 1,
): Difference {
  const pairs = clusters.flat();
  const totals = clusters.map((cluster) => ({
    net: sum(cluster.map(([plain, own]) => own - plain)),
    tasks: cluster.length,
  }));
  const [drawn, counted] = [bootstrap(totals, meanOf, seed), byEvents(totals)];
  return {
    tasks: pairs.length,
    clusters: clusters.length,
    plain: mean(pairs.map(([plain]) => plain)),
    own: mean(pairs.map(([, own]) => own)),
    difference: meanOf(totals),
    interval: {
      low: Math.min(drawn.low, counted.low),
      high: Math.max(drawn.high, counted.high),
    },
  };
}

/** Differences of a cluster's tasks, summed. */
interface Total {
  readonly net: number;
  readonly tasks: number;
}

const meanOf = (totals: readonly Total[]): number =>
  sum(totals.map(({ net }) => net)) / sum(totals.map(({ tasks }) => tasks));

/**
 * Every cluster that gains or loses is one event of the mean size of such events. With one test a
 * cluster these are McNemar's discordant pairs. Without any, the rule of three over clusters.
 */
function byEvents(clusters: readonly Total[]): Interval {
  const nets = clusters.map(({ net }) => net);
  const changed = sum(nets.map(Math.abs));
  if (changed === 0) {
    const unseen = RULE_OF_THREE / clusters.length;
    return { low: -unseen, high: unseen };
  }
  const size = sum(nets.map((net) => net ** 2)) / changed;
  const gained = sum(nets.map((net) => Math.max(0, net))) / size;
  const lost = sum(nets.map((net) => Math.max(0, -net))) / size;
  return scoreInterval(gained, lost, sum(clusters.map(({ tasks }) => tasks)) / size);
}

/**
 * Tango's score interval of a difference of paired rates, `gained` and `lost` discordant pairs of
 * `total` (Statistics in Medicine 17, 1998): holds where these are few, unlike the normal approximation.
 */
export function scoreInterval(gained: number, lost: number, total: number): Interval {
  const middle = (gained - lost) / total;
  /** Standard errors that the difference lies above `at`; falls as `at` rises. */
  const above = (at: number): number => {
    // Rate of losses at its most likely, were the difference `at`.
    const b = (2 * total - gained + lost) * at - gained - lost;
    const q = (Math.sqrt(b ** 2 + 8 * total * lost * at * (1 - at)) - b) / (4 * total);
    return (gained - lost - total * at) / Math.sqrt(total * (2 * q + at * (1 - at)));
  };
  return {
    low: bisect(-1, middle, (at) => above(at) > Z_95),
    high: bisect(middle, 1, (at) => above(at) > -Z_95),
  };
}

/** Where what holds on the left begins not to. */
function bisect(left: number, right: number, holds: (at: number) => boolean): number {
  let [low, high] = [left, right];
  for (let i = 0; i < 60; i++) {
    const between = (low + high) / 2;
    if (holds(between)) low = between;
    else high = between;
  }
  return (low + high) / 2;
}
