/**
 * Exact mode: keeps of the drafted tokens what the base model would have said itself, so that drafts
 * cost or save time but never change the text (Leviathan et al. 2023, Chen et al. 2023).
 *
 * Knows predictions and drafts. It must not know who drafted, or why.
 */
import { ModelOutputError, type Choice, type Chooser } from './choose';
import { choiceAt, headAt } from './proposal';
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

/** A draft that was drawn at random, and what it was drawn from. */
export interface SampledDraft {
  readonly id: number;
  readonly ids: ArrayLike<number>;
  /** Of each of `ids`; sum 1. `id` has one above 0. */
  readonly probabilities: ArrayLike<number>;
}

export interface BaseSampling {
  /** Above 0. */
  readonly temperature: number;
  readonly topK: number;
}

/**
 * Verifies drafts that were drawn at random, which a chooser's draws know nothing of: a draft d stays
 * with probability min(1, p(d) / q(d)), p the base's probability among its top k at the temperature
 * and q the draft's; in place of a rejected one comes a token drawn in proportion to max(0, p − q).
 * Each token is then distributed as p says.
 *
 * @param predictions as for `verify`
 * @param random uniform numbers in [0, 1); up to two are drawn for each token
 * @throws {ModelOutputError} when the predictions do not fit or cannot be ones
 */
export function verifySampled(
  predictions: readonly RowPrediction[],
  drafts: readonly SampledDraft[],
  { temperature, topK }: BaseSampling,
  random: () => number,
): Verified {
  checkCount(predictions, drafts.length);
  const choices: Choice[] = [];
  for (const [accepted, prediction] of predictions.entries()) {
    const { probabilities } = headAt(prediction, temperature, topK);
    const draft = drafts[accepted];
    if (!draft) {
      choices.push(choiceAt(prediction, drawRank(probabilities, random())));
      break;
    }
    const drafted = draftProbabilities(draft);
    const rank = prediction.ids.subarray(0, probabilities.length).indexOf(draft.id);
    const p = rank < 0 ? 0 : (probabilities[rank] ?? 0);
    if (random() * (drafted.get(draft.id) ?? 0) < p) {
      choices.push(choiceAt(prediction, rank));
      continue;
    }
    const rest = probabilities.map((probability, place) =>
      Math.max(0, probability - (drafted.get(prediction.ids[place] ?? -1) ?? 0)),
    );
    choices.push(choiceAt(prediction, drawRank(rest, random())));
    break;
  }
  return { accepted: choices.length - 1, choices };
}

function draftProbabilities({ ids, probabilities }: SampledDraft): Map<number, number> {
  return new Map(Array.from(ids, (id, place) => [id, probabilities[place] ?? 0]));
}

/** The rank that `uniform` in [0, 1) falls on, in proportion to the weights. */
function drawRank(weights: Float64Array, uniform: number): number {
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [rank, weight] of weights.entries()) {
    if (left < weight) return rank;
    left -= weight;
  }
  return weights.indexOf(Math.max(...weights)); // Rounding used up the last weight.
}

function checkCount(predictions: readonly RowPrediction[], drafts: number): void {
  if (predictions.length === drafts + 1) return;
  throw new ModelOutputError(`${predictions.length} predictions for ${drafts + 1} token rows`);
}
