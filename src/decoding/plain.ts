/**
 * Plain autoregressive decoding: one row in, one token out. The measure of every other mode.
 */
import { ModelOutputError, type Chooser } from './choose';
import type { RowPrediction, Stepper } from './stepper';
import type { StepResult, Strategy } from './strategy';
import { traceCandidates, type TraceOptions } from './tracing';

export function plainStrategy(stepper: Stepper, choose: Chooser, trace?: TraceOptions): Strategy {
  return {
    async advance(pending, _room, signal) {
      return plainStep(await feed(stepper, pending, signal), pending.length, choose, trace);
    },
  };
}

/** A step that takes the base's token. */
export function plainStep(
  last: RowPrediction,
  rows: number,
  choose: Chooser,
  trace?: TraceOptions,
): StepResult {
  const result: StepResult = { choices: [choose(last)], source: 'base', rows };
  if (!trace) return result;
  const places = [{ base: traceCandidates(last, trace) }];
  return { ...result, trace: { places, draftMs: 0, decideMs: 0 } };
}

/** Feeds rows and returns what is predicted after the last of them. */
export async function feed(
  stepper: Stepper,
  rows: readonly number[],
  signal: AbortSignal,
): Promise<RowPrediction> {
  const predictions = await stepper.step(rows, signal);
  const last = predictions.at(-1);
  if (!last || predictions.length !== rows.length) {
    throw new ModelOutputError(`${predictions.length} predictions for ${rows.length} token rows`);
  }
  return last;
}
