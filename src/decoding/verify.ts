/**
 * Exact mode: keeps of the drafted tokens what the base model would have said itself, so that drafts
 * cost or save time but never change the text (Leviathan et al. 2023, Chen et al. 2023).
 *
 * Knows predictions and drafts. It must not know who drafted, or why.
 */
import { ModelOutputError, type Choice, type Chooser } from './choose';
import type { RowPrediction } from './stepper';

export interface Verified {
  /** How many drafts stay, from the front; the KV rows of the others are to be dropped. */
  readonly accepted: number;
  /** The accepted drafts, and behind them one token of the base's own. Length [accepted + 1]. */
  readonly choices: readonly Choice[];
}

/**
 * Verifies drafts that were not drawn at random: a head's likeliest token, or looked-up text.
 *
 * The base chooses, as if there were no drafts; a draft stays when it is what was chosen. For greedy
 * decoding that is the longest agreeing prefix. With temperature it is speculative sampling for a
 * draft distribution that is a single point, and since the chooser draws once a token in either case,
 * the text is that of plain decoding with the same seed, token for token.
 *
 * @param predictions after the row before the first draft, and after each draft; [drafts + 1]
 * @throws {ModelOutputError} when the predictions do not fit or cannot be ones
 */
export function verify(
  predictions: readonly RowPrediction[],
  drafts: readonly number[],
  choose: Chooser,
): Verified {
  checkCount(predictions, drafts.length);
  const choices: Choice[] = [];
  for (const [accepted, prediction] of predictions.entries()) {
    choices.push(choose(prediction));
    if (choices[accepted]?.id !== drafts[accepted]) break;
  }
  return { accepted: choices.length - 1, choices };
}

function checkCount(predictions: readonly RowPrediction[], drafts: number): void {
  if (predictions.length === drafts + 1) return;
  throw new ModelOutputError(`${predictions.length} predictions for ${drafts + 1} token rows`);
}
