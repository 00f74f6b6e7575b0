/**
 * Measures what token rows cost on this machine, through the stepper alone: decoding's row budget
 * and the benches rest on it.
 */
import type { RowCosts } from '../decoding/row-costs';
import type { Stepper } from '../decoding/stepper';
import { EngineError } from './errors';
import type { MeasureRequest, MeasureResult } from './protocol';

/** Any id that every vocabulary has, and another one: content does not change the cost. */
const TOKENS = [1, 2] as const;

/**
 * Fills the cache with `context` rows, then times steps of 1..rows rows. Replaces what the cache held.
 *
 * @throws {EngineError} `badRequest` when context and rows do not fit the model
 * @throws the signal's reason when it is aborted
 */
export async function measureSteps(
  stepper: Stepper,
  { rows, context, repeats }: MeasureRequest,
  signal: AbortSignal,
): Promise<MeasureResult> {
  if (context + rows > stepper.contextLength) {
    const most = stepper.contextLength - rows;
    throw new EngineError('badRequest', `The context must be at most ${most} tokens.`);
  }
  stepper.rewind(0);
  const prompt = Array.from({ length: context }, (_, i) => TOKENS[i % 2] ?? 1);
  const prefillMs = (await time(() => stepper.prefill(prompt, signal))) / context;

  const stepMs: number[] = [];
  for (let count = 1; count <= rows; count++) {
    const fed = [TOKENS[0], ...Array<number>(count - 1).fill(TOKENS[1])];
    const times: number[] = [];
    // The first one warms up this number of rows and does not count.
    for (let repeat = 0; repeat <= repeats; repeat++) {
      signal.throwIfAborted();
      const ms = await time(() => stepper.step(fed, signal));
      stepper.rewind(context);
      if (repeat > 0) times.push(ms);
    }
    stepMs.push(median(times));
  }
  return { kind: 'measure', context, prefillMs, stepMs };
}

/** Numbers of rows in the order in which they are worth knowing. */
const FIRST_ROWS = [1, 3, 8, 2, 5] as const;

/**
 * Measures a few numbers of rows, each once, until `budgetMs` would be passed: what drafts cost before
 * the first completion. Leaves the cache empty, and the machine's caches warm.
 */
export async function learnRowCosts(
  stepper: Stepper,
  costs: RowCosts,
  budgetMs: number,
): Promise<void> {
  const { signal } = new AbortController();
  let left = budgetMs;
  left -= await time(() => stepper.prefill([TOKENS[0]], signal));
  for (const rows of FIRST_ROWS) {
    const expected = costs.ms(rows);
    if (stepper.contextLength < rows + 1 || expected > left) break;
    const fed = Array.from({ length: rows }, (_, i) => TOKENS[i % 2] ?? 1);
    const ms = await time(() => stepper.step(fed, signal));
    costs.learn(rows, ms);
    stepper.rewind(1);
    left -= ms;
  }
  stepper.rewind(0);
}

async function time(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
