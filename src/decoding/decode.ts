/**
 * Decoding: turns a prompt into a stream of steps, each with the tokens that became certain.
 *
 * Knows token ids and probabilities. It must not know ONNX Runtime, text, editors or prompts'
 * meaning; what ends a text for reasons of text is the reader's business, who just stops reading.
 */
import { createChooser, type Choice, type Chooser, type SamplingOptions } from './choose';
import type { Drafter, DraftSources } from './drafter';
import { exactStrategy } from './exact';
import { fastStrategy, type FastModeOptions } from './fast';
import { createHealer, type Healing } from './healing';
import { feed, plainStep, plainStrategy } from './plain';
import type { Proposer, Stepper } from './stepper';
import type { StepResult, Strategy } from './strategy';
import type { DecodeEnd, DecodeStep, PrefillTrace } from './trace';
import type { TraceOptions } from './tracing';

export interface DecodeOptions extends SamplingOptions {
  /** The most tokens to emit, ≥ 1. */
  readonly maxTokens: number;
  /** Ids that end the generation. They are never emitted. */
  readonly stopTokens: ReadonlySet<number>;
  /**
   * `ar` emits a token a step; `exact` the same tokens, several a step where drafts hold; `fast` as
   * many as the thresholds leave, unverified.
   */
  readonly mode?: 'ar' | 'exact' | 'fast';
  /** Where exact mode's drafts come from; without any it decodes plainly. */
  readonly drafter?: Drafter;
  /** Rows of a step of exact mode at most. */
  readonly rows?: number;
  /** What of the drafter's sources this generation may use. */
  readonly drafts?: DraftSources;
  /** Fast mode's heads and thresholds; without them it decodes plainly. */
  readonly fast?: FastModeOptions & { readonly proposer: Proposer };
  /** Asks for every step's trace. */
  readonly trace?: TraceOptions;
  readonly healing?: Healing;
  /** Called once, before the first step. */
  readonly onPrefill?: (prefill: PrefillTrace) => void;
}

/**
 * Generates from `prompt`. The prompt's prefill gives the first token without a row of its own; each
 * later step feeds the tokens of the step before it. The generator's return value says why it ended.
 *
 * The signal is looked at before each use of the model, so a step that did run is always handed
 * over. The reader may stop at any step; the cache then holds a prefix of the prompt and of all that
 * the model said, and the next `prefill` reuses what it can.
 *
 * @throws {RangeError} for an empty prompt, one longer than the context, or options out of range
 * @throws {ModelOutputError} when the model returns NaN or nothing
 * @throws the signal's reason when it is aborted
 */
export async function* decode(
  stepper: Stepper,
  prompt: readonly number[],
  options: DecodeOptions,
  signal: AbortSignal,
): AsyncGenerator<DecodeStep, DecodeEnd, void> {
  const { maxTokens, stopTokens } = options;
  checkRequest(stepper, prompt, options);
  const choose = createChooser(options);
  const strategy = strategyOf(stepper, choose, prompt, options);
  const healer = createHealer(options.healing, choose, stopTokens);

  signal.throwIfAborted();
  let started = performance.now();
  const { last, reused } = await stepper.prefill(prompt, signal);
  options.onPrefill?.({ tokens: prompt.length, reused, ms: performance.now() - started });

  started = performance.now();
  let result: StepResult;
  if (!healer.done) result = healer.next(last);
  else if (strategy.first) result = await strategy.first(last, signal);
  else result = plainStep(last, 0, choose, options.trace);
  let emitted = 0;
  for (;;) {
    const { choices, stopped } = cut(result.choices, stopTokens, maxTokens - emitted);
    const tokens = choices.map((choice) => choice.id);
    if (tokens.length > 0) {
      emitted += tokens.length;
      const confidence = choices.reduce((product, choice) => product * choice.probability, 1);
      const { source, rows, draft, trace } = result;
      const ms = performance.now() - started;
      yield {
        tokens,
        source: tokens.length > 1 ? source : 'base',
        confidence,
        rows,
        ms,
        ...(draft && { draft }),
        ...(trace && { trace }),
      };
    }
    if (stopped) return 'stopToken';
    if (emitted >= maxTokens) return 'maxTokens';

    const pending = tokens.slice(result.held ?? 0);
    const room = stepper.contextLength - stepper.length;
    if (room < pending.length) return 'context';
    signal.throwIfAborted();
    started = performance.now();
    if (healer.done) {
      result = await strategy.advance(pending, room, signal);
    } else {
      strategy.passed?.(pending);
      result = { ...healer.next(await feed(stepper, pending, signal)), rows: pending.length };
    }
  }
}

/** The one place that knows every mode. */
function strategyOf(
  stepper: Stepper,
  choose: Chooser,
  prompt: readonly number[],
  { mode = 'ar', drafter, drafts, rows, fast, trace }: DecodeOptions,
): Strategy {
  if (mode === 'fast' && fast) return fastStrategy(stepper, fast.proposer, fast, trace);
  if (mode === 'exact' && drafter) {
    drafter.begin(prompt, drafts);
    return exactStrategy(stepper, choose, drafter, rows, trace);
  }
  return plainStrategy(stepper, choose, trace);
}

/** Cuts a step at the first stop token and at `room` tokens. */
function cut(
  choices: readonly Choice[],
  stopTokens: ReadonlySet<number>,
  room: number,
): { choices: readonly Choice[]; stopped: boolean } {
  const end = choices.findIndex((choice) => stopTokens.has(choice.id));
  if (end >= 0 && end < room) return { choices: choices.slice(0, end), stopped: true };
  return { choices: choices.slice(0, room), stopped: false };
}

function checkRequest(
  stepper: Stepper,
  prompt: readonly number[],
  { maxTokens, healing }: DecodeOptions,
): void {
  if (prompt.length === 0) throw new RangeError('The prompt is empty; give it at least one token.');
  if (prompt.length > stepper.contextLength) {
    throw new RangeError(
      `The prompt has ${prompt.length} tokens, but the model's context holds ` +
        `${stepper.contextLength}; shorten it.`,
    );
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    throw new RangeError(`The token limit must be a whole number above 0, not ${maxTokens}.`);
  }
  if (healing?.bytes.length === 0) {
    throw new RangeError('Token healing needs the bytes that were cut.');
  }
}
