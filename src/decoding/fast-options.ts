/**
 * The options of fast mode. Every part of the paper's rule can be switched off for an ablation.
 */
import type { CooccurrenceTable, MaskOptions } from './cooccurrence';

export interface FastOptions {
  /** ε_b in [0, 1]: 1 emits one token a step, 0 always as many as there are heads. */
  readonly epsilon: number;
  /** The most tokens of a step, 1..4; the heads may allow fewer. */
  readonly maxOrder?: number;
  /** Divides the logits, whether J is drawn from or not. Above 0, at most 10. */
  readonly temperature?: number;
  /** Candidates of a head. */
  readonly topK?: number;
  /** `likeliest` takes the largest value of J, `draw` draws in proportion to the values. */
  readonly choice?: 'likeliest' | 'draw';
  /** Any integer; the same seed gives the same tokens. */
  readonly seed?: number;
  /** No table, no mask. */
  readonly table?: CooccurrenceTable | undefined;
  /** Without `alpha`, α_c is 1 for independent heads and 0 for chained ones. */
  readonly mask?: MaskOptions;
  /** Cells below ε_b^(n-1) become 0 before the adaptive threshold is sought. */
  readonly useStatic?: boolean;
  /** Cells below Otsu's threshold become 0. */
  readonly useOtsu?: boolean;
  /** Otsu's threshold is that of the blurred J. */
  readonly useBlur?: boolean;
  /** Repetition penalty, at least 1; 1 is off. */
  readonly penalty?: number;
  /** Latest tokens that count as recent for the penalty. */
  readonly penaltyWindow?: number;
  /** What counts as repetition; see `repetition.ts`. */
  readonly repeats?: 'token' | 'ngram';
}

/** ε_b of a model that was not calibrated: no smaller one was shown to keep its quality. */
export const UNCALIBRATED_EPSILON = 1;

/** The paper's settings, with everything on. */
export const FAST_DEFAULTS = {
  maxOrder: 4,
  temperature: 0.7,
  topK: 50,
  choice: 'draw',
  seed: 0,
  table: undefined,
  mask: {} as MaskOptions,
  useStatic: true,
  useOtsu: true,
  useBlur: true,
  penalty: 1.1,
  penaltyWindow: 64,
  repeats: 'token',
} as const satisfies Omit<Required<FastOptions>, 'epsilon'>;

/** @throws {RangeError} when an option is out of range */
export function checkFastOptions(options: Required<FastOptions>): void {
  const { epsilon, maxOrder, temperature, topK, penalty, penaltyWindow } = options;
  if (!(epsilon >= 0 && epsilon <= 1)) {
    throw new RangeError(`The threshold ε_b must lie between 0 and 1, not ${epsilon}.`);
  }
  if (!(temperature > 0 && temperature <= 10)) {
    throw new RangeError(`The temperature must lie above 0 and up to 10, not ${temperature}.`);
  }
  if (!(penalty >= 1 && penalty < Infinity)) {
    throw new RangeError(`The repetition penalty must be 1 or more, not ${penalty}.`);
  }
  checkWhole('The largest order', maxOrder, 1, 4);
  checkWhole('Top-k', topK, 1, Infinity);
  checkWhole('The window of the penalty', penaltyWindow, 0, Infinity);
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  const range = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new RangeError(`${name} must be a whole number ${range}, not ${value}.`);
}
