/**
 * The seam between decoding and inference.
 *
 * A stepper feeds token rows through a model and keeps their keys and values. It knows nothing of
 * thresholds, stop rules or text; the decoder on the other side knows nothing of ONNX Runtime.
 */
import type { ChainLink, Proposal } from './proposal';

/** What head 1 says after one token row. */
export interface RowPrediction {
  /** Ids of the most likely next tokens, largest logit first. Shape [k]. */
  readonly ids: Int32Array;
  /** Their raw logits, in the same order. Shape [k]. */
  readonly logits: Float32Array;
  /**
   * log Σ exp(logit) over the whole vocabulary, so that `exp(logits[i] - logNormalizer)` is the
   * probability of `ids[i]` at temperature 1, not only among the k kept.
   */
  readonly logNormalizer: number;
}

export interface PrefillOutput {
  /** The prediction after the prompt's last token. */
  readonly last: RowPrediction;
  /** Leading prompt rows that were already in the KV cache and did not run again. */
  readonly reused: number;
}

export interface Stepper {
  /** Rows that the KV cache holds now. */
  readonly length: number;
  /** The most rows that one sequence may have. */
  readonly contextLength: number;

  /**
   * Makes the cache hold exactly `tokens`, running only the rows behind the longest prefix that it
   * already holds. Works in chunks; `signal` is looked at between them.
   *
   * @throws {RangeError} when `tokens` is empty or longer than `contextLength`
   * @throws the signal's reason when it is aborted; the rows that did run stay valid
   */
  prefill(tokens: readonly number[], signal: AbortSignal): Promise<PrefillOutput>;

  /**
   * Appends 1..8 token rows and returns a prediction after each of them, shape [rows].
   *
   * @throws {RangeError} when the rows do not fit the context
   */
  step(rows: readonly number[], signal: AbortSignal): Promise<RowPrediction[]>;

  /** Drops every row behind the first `length` ones. */
  rewind(length: number): void;
}

/** The heads of a stepper's model. They see what its cache holds; it knows nothing of them. */
export interface Proposer {
  readonly kind: Proposal['kind'];
  /** The most tokens that it proposes behind the base's own one. */
  readonly depth: number;

  /** Rows of the stepper's cache that it has not seen yet; `propose` catches up on `most` of them. */
  behind(most?: number): number;

  /**
   * Guesses what follows `next`, the token that the base chose after the cache's last row. For
   * chained heads the greedy chain behind `next`; for independent heads one guess a head.
   * Shape [depth]; fewer where nothing can be known yet.
   *
   * @param most rows to catch up on, the latest ones; where more are missing, the guesses rest on
   *   those alone, and are a little worse. All of them when absent.
   * @throws the signal's reason when it is aborted
   */
  propose(next: number, signal: AbortSignal, most?: number): Promise<readonly ChainLink[]>;
}
