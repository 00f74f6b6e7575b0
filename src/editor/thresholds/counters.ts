/** What the last completions came to: tokens a step, speed, and how often drafts held. Pure. */
import type { ViewCounters } from '../../../media/thresholds/messages';
import type { CompletionResult, StepSummary } from '../../engine/protocol';

/** Completions that count as the last ones. */
const WINDOW = 50;
/** Heads that are counted one by one. */
const HEADS = 3;

export class Counters {
  #results: CompletionResult[] = [];

  add(result: CompletionResult): void {
    this.#results = [...this.#results, result].slice(-WINDOW);
  }

  get counters(): ViewCounters {
    const results = this.#results;
    const steps = results.flatMap((result) => result.steps);
    const plainMs = median(plainTimes(steps));
    return {
      completions: results.length,
      tokens: steps.reduce((sum, { n }) => sum + n, 0),
      steps: steps.length,
      decodeMs: results.reduce((sum, { decodeMs }) => sum + decodeMs, 0),
      ...(plainMs !== undefined && { plainMs }),
      heads: Array.from({ length: HEADS }, (_, head) => fate(steps, 'head', head)),
      lookup: lookupFate(steps),
    };
  }
}

/** Times of the steps that were plain decoding: one row, no drafts. */
const plainTimes = (steps: readonly StepSummary[]) =>
  steps.filter(({ rows, draft }) => rows === 1 && draft === undefined).map(({ ms }) => ms);

/** How often the draft at a place behind the certain token was looked at, and how often it held. */
function fate(steps: readonly StepSummary[], source: 'head' | 'lookup', place: number) {
  let [drafted, accepted] = [0, 0];
  for (const { draft } of steps) {
    // Behind the first draft that did not hold, the base was not asked.
    if (draft?.source !== source || draft.tokens <= place || draft.accepted < place) continue;
    drafted++;
    if (draft.accepted > place) accepted++;
  }
  return { drafted, accepted };
}

function lookupFate(steps: readonly StepSummary[]) {
  let [drafted, accepted] = [0, 0];
  for (const { draft } of steps) {
    if (draft?.source !== 'lookup') continue;
    drafted += draft.tokens;
    accepted += draft.accepted;
  }
  return { drafted, accepted };
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
