/**
 * How a step finds its tokens. `decode.ts` owns what all ways of decoding share: the prompt, limits,
 * stop tokens, cancellation and the trace.
 */
import type { Choice } from './choose';
import type { RowPrediction } from './stepper';
import type { DraftCount, StepTrace, TokenSource } from './trace';

/** The tokens that one step found, before limits and stop tokens cut them. */
export interface StepResult {
  /** At least one. */
  readonly choices: readonly Choice[];
  readonly source: TokenSource;
  /** Token rows that ran. */
  readonly rows: number;
  /** What was tried behind the certain tokens; absent when nothing was. */
  readonly draft?: DraftCount;
  /** How many of `choices`, from the front, the cache holds already; 0 when absent. */
  readonly held?: number;
  readonly trace?: StepTrace;
}

/** One way of decoding, for one generation. */
export interface Strategy {
  /**
   * Feeds `pending`, the emitted tokens that the cache lacks, and finds what follows them. When it
   * returns or throws, the cache holds a prefix of the prompt, everything emitted and the result's
   * `held` choices, never a rejected draft.
   *
   * @param room rows that the context still has for `pending` and drafts behind it, ≥ pending.length
   */
  advance(pending: readonly number[], room: number, signal: AbortSignal): Promise<StepResult>;

  /** The first tokens, from the prediction after the prompt; one of the base's when absent. */
  first?(last: RowPrediction, signal: AbortSignal): Promise<StepResult>;

  /** Tokens that were fed without it, behind the prompt. */
  passed?(tokens: readonly number[]): void;
}
