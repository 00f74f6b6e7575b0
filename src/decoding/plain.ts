/**
 * Plain autoregressive decoding: one row in, one token out. The measure of every other mode.
 */
import { ModelOutputError, type Chooser } from './choose';
import type { RowPrediction, Stepper } from './stepper';
import type { Strategy } from './strategy';

export function plainStrategy(stepper: Stepper, choose: Chooser): Strategy {
  return {
    async advance(pending, _room, signal) {
      const last = await feed(stepper, pending, signal);
      return { choices: [choose(last)], source: 'base', rows: pending.length };
    },
  };
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
