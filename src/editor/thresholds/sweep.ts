/**
 * Runs ε_b from 0 to 1 at some places and compares each completion with the exact text. The model is
 * asked through a function, so that this knows no engine. Pure but for that.
 */
import type { SweepPoint, ViewSweep } from '../../../media/thresholds/messages';
import type { CursorContext } from '../../completion/types';
import { commonPrefix } from './agreement';

/** What a run at a place came to. */
export interface SweepRun {
  readonly text: string;
  readonly tokens: number;
  readonly steps: number;
  readonly decodeMs: number;
}

/** Plain decoding, whose text is the exact one, or fast mode with a threshold. */
export type SweepDecoding =
  { readonly mode: 'ar' } | { readonly mode: 'fast'; readonly epsilon: number };

export type Complete = (place: CursorContext, decoding: SweepDecoding) => Promise<SweepRun>;

export const EPSILONS: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

interface Sum {
  tokens: number;
  steps: number;
  ms: number;
  plainTokens: number;
  plainMs: number;
  same: number;
  characters: number;
}

/** @throws what `complete` throws, unless it was cancelled: then the result says so */
export async function runSweep(
  where: string,
  places: readonly CursorContext[],
  complete: Complete,
  onProgress: (sweep: ViewSweep) => void,
  signal: AbortSignal,
): Promise<ViewSweep> {
  const sums = EPSILONS.map((): Sum => ({ ...NOTHING }));
  const total = places.length * (EPSILONS.length + 1);
  let done = 0;
  const report = (status: ViewSweep['status']): ViewSweep => {
    const points = EPSILONS.flatMap((epsilon, i) => pointOf(epsilon, sums[i] ?? NOTHING));
    return { status, where, places: places.length, done, total, points };
  };
  onProgress(report('running'));
  for (const place of places) {
    try {
      const plain = await run(place, { mode: 'ar' });
      const runs: SweepRun[] = [];
      for (const epsilon of EPSILONS) runs.push(await run(place, { mode: 'fast', epsilon }));
      // A place counts for every threshold or for none, or they could not be compared.
      for (const [i, each] of runs.entries()) add(sums[i] ?? { ...NOTHING }, plain, each);
    } catch (error) {
      if (!signal.aborted) throw error;
      return report('cancelled');
    }
  }
  return report('done');

  async function run(place: CursorContext, decoding: SweepDecoding): Promise<SweepRun> {
    signal.throwIfAborted();
    const result = await complete(place, decoding);
    done++;
    onProgress(report('running'));
    return result;
  }
}

const NOTHING: Readonly<Sum> = {
  tokens: 0,
  steps: 0,
  ms: 0,
  plainTokens: 0,
  plainMs: 0,
  same: 0,
  characters: 0,
};

function add(sum: Sum, plain: SweepRun, run: SweepRun): void {
  sum.tokens += run.tokens;
  sum.steps += run.steps;
  sum.ms += run.decodeMs;
  sum.plainTokens += plain.tokens;
  sum.plainMs += plain.decodeMs;
  sum.same += commonPrefix(plain.text, run.text);
  sum.characters += Math.max(plain.text.length, run.text.length);
}

/** Nothing yet where there is nothing to divide by. */
function pointOf(epsilon: number, sum: Sum): SweepPoint[] {
  const { tokens, steps, ms, plainTokens, plainMs, same, characters } = sum;
  if (steps === 0 || ms === 0 || plainTokens === 0 || plainMs === 0) return [];
  return [
    {
      epsilon,
      tokensPerStep: tokens / steps,
      speedup: tokens / ms / (plainTokens / plainMs),
      agreement: characters === 0 ? 1 : same / characters,
    },
  ];
}
