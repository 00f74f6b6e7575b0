/**
 * How a step finds its tokens. `decode.ts` owns what all ways of decoding share: the prompt, limits,
 * stop tokens, cancellation and the trace.
 */
import type { Choice } from './choose';
import type { TokenSource } from './trace';

/** The tokens that one step found, before limits and stop tokens cut them. */
export interface StepResult {
  /** At least one. */
  readonly choices: readonly Choice[];
  readonly source: TokenSource;
  /** Token rows that ran. */
  readonly rows: number;
}

/** One way of decoding, for one generation. */
export interface Strategy {
  /**
   * Feeds `emitted`, the tokens of the step before, and finds what follows them. When it returns or
   * throws, the cache holds a prefix of the prompt and everything emitted, never a rejected draft.
   *
   * @param room rows that the context still has for `emitted` and drafts behind it, ≥ emitted.length
   */
  advance(emitted: readonly number[], room: number, signal: AbortSignal): Promise<StepResult>;
}
