/**
 * What the heads propose at one position, in the two kinds that models have, and the probabilities
 * that decisions are made from.
 *
 * Knows logits. It must not know thresholds, tables or how a proposal came about.
 */
import { ModelOutputError, type Choice } from './choose';
import type { RowPrediction } from './stepper';

/** One head's candidates for its token, likeliest first, as `RowPrediction` describes them. */
export type Candidates = RowPrediction;

/** Heads that do not know each other's tokens: their joint distribution is the outer product. */
export interface IndependentProposal {
  readonly kind: 'independent';
  /** `heads[i]` is about the token i + 1 places ahead; `heads[0]` is the base model. At least one. */
  readonly heads: readonly Candidates[];
}

/** One token of a chain and what it was chosen from. */
export interface ChainLink {
  /** One of the candidates; a link whose token is not among the top k ends its chain. */
  readonly id: number;
  /** Candidates after the links before this one. */
  readonly candidates: Candidates;
}

/** Heads that see the tokens chosen before their own: each row holds for its own chain alone. */
export interface ChainedProposal {
  readonly kind: 'chained';
  /**
   * The greedy chain first, then those that begin with the next likeliest tokens, if they were
   * evaluated. All begin with the same candidates. At least one chain, each of at least one link.
   */
  readonly chains: readonly (readonly ChainLink[])[];
}

export type Proposal = IndependentProposal | ChainedProposal;

/** Candidates at a temperature. */
export interface Head {
  readonly candidates: Candidates;
  /** Largest first, sum 1. Shape [k]. */
  readonly probabilities: Float64Array;
}

/**
 * Softmax at `temperature` > 0 over the `topK` likeliest candidates; fewer when there are fewer.
 *
 * @throws {ModelOutputError} for NaN, nothing at all, shapes that disagree or logits out of order
 */
export function headAt(candidates: Candidates, temperature: number, topK: number): Head {
  const { ids, logits, logNormalizer } = candidates;
  if (ids.length === 0) throw new ModelOutputError('no candidate for a token');
  if (ids.length !== logits.length) {
    throw new ModelOutputError(`${ids.length} candidates with ${logits.length} logits`);
  }
  if (!Number.isFinite(logNormalizer)) {
    throw new ModelOutputError(`a normaliser that is ${logNormalizer}`);
  }
  const largest = logits[0] ?? NaN;
  if (!Number.isFinite(largest)) throw new ModelOutputError(`a logit that is ${largest}`);

  const probabilities = new Float64Array(Math.min(topK, ids.length));
  let sum = 0;
  let before = largest;
  for (let rank = 0; rank < probabilities.length; rank++) {
    const logit = logits[rank] ?? NaN;
    if (!(logit <= before)) throw new ModelOutputError(`the logit ${logit} behind ${before}`);
    if ((ids[rank] ?? -1) < 0) throw new ModelOutputError(`the token id ${ids[rank]}`);
    const weight = Math.exp((logit - largest) / temperature);
    probabilities[rank] = weight;
    sum += weight;
    before = logit;
  }
  for (let rank = 0; rank < probabilities.length; rank++) {
    probabilities[rank] = (probabilities[rank] ?? 0) / sum;
  }
  return { candidates, probabilities };
}

/** The candidate at `rank`, with its probability at temperature 1 among all tokens. */
export function choiceAt({ ids, logits, logNormalizer }: Candidates, rank: number): Choice {
  const logit = logits[rank] ?? -Infinity;
  return { id: ids[rank] ?? 0, probability: Math.min(1, Math.exp(logit - logNormalizer)) };
}
