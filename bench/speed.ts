/**
 * How many times as fast one way of decoding is as another. What is decoded counts behind the first token,
 * which the prefill gives. Pure.
 */
import { bootstrap } from './bootstrap';
import type { Interval } from './infilling/statistics';
import { sum } from './numbers';

/** Of one text or several: time behind the first token, ms, and tokens decoded in it. */
export interface Decoded {
  readonly ms: number;
  readonly tokens: number;
}

export interface Speed {
  /** Time a token of the other way over that of this one. */
  readonly ratio: number;
  /** 95 %. */
  readonly interval: Interval;
}

export const msPerToken = (all: readonly Decoded[]): number =>
  sum(all.map(({ ms }) => ms)) / sum(all.map(({ tokens }) => tokens));

/** @param clusters what both ways made of texts that are independent of those of other clusters */
export function speedOf(clusters: readonly (readonly [own: Decoded, other: Decoded])[]): Speed {
  const ratio = (drawn: typeof clusters) =>
    msPerToken(drawn.map(([, other]) => other)) / msPerToken(drawn.map(([own]) => own));
  return { ratio: ratio(clusters), interval: bootstrap(clusters, ratio) };
}
