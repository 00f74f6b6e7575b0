/**
 * What a generation reports about itself: the one type that the log, the status bar, the threshold
 * view and the benches read. Plain data, so that it crosses the process boundary as it is.
 */

/** What proposed the tokens of a step behind its first one; `base` when there are none. */
export type TokenSource = 'base' | 'head' | 'lookup';

/** One decoding step: the tokens that became certain together. */
export interface DecodeStep {
  /** Ids, 1 or more, without stop tokens. */
  readonly tokens: readonly number[];
  readonly source: TokenSource;
  /**
   * The model's probability of these tokens given what stood before them, at temperature 1, among
   * the tokens that were allowed. In [0, 1].
   */
  readonly confidence: number;
  /** Token rows that the model ran for this step; 0 for the one that the prompt's prefill gave. */
  readonly rows: number;
  /** Tokens that were tried behind the certain ones, accepted or not. */
  readonly drafted: number;
  /** Time that the step took, ms; the time that the reader of the steps takes is not in it. */
  readonly ms: number;
}

/** What the prompt cost before the first step. */
export interface PrefillTrace {
  /** Tokens of the prompt. */
  readonly tokens: number;
  /** How many of them the KV cache already held. */
  readonly reused: number;
  readonly ms: number;
}

/** Why a generation ended by itself. */
export type DecodeEnd = 'stopToken' | 'maxTokens' | 'context';
