/**
 * From a request to a text: prompt, decoding, stop rules between the steps, post-processing.
 *
 * Everything that it needs is handed in, so it runs on a scripted model as on a real one. Knows
 * nothing of processes, messages or ONNX Runtime.
 */
import { allowsSeveralLines, lineMode } from '../completion/multiline';
import { postprocess } from '../completion/postprocess/index';
import {
  buildPrompt,
  DEFAULT_BUDGET,
  MOST_CONTROL_TOKENS,
  type Prompt,
} from '../completion/prompt';
import { createLineStopper, createStopper, type Stopper } from '../completion/stop';
import type { CursorContext, PromptFormat, TextTokenizer } from '../completion/types';
import { decode, type DecodeOptions } from '../decoding/decode';
import type { Drafter } from '../decoding/drafter';
import type { Healing } from '../decoding/healing';
import type { CooccurrenceTable } from '../decoding/cooccurrence';
import { UNCALIBRATED_EPSILON } from '../decoding/fast-options';
import type { Proposer, Stepper } from '../decoding/stepper';
import type { PrefillTrace } from '../decoding/trace';
import type { ModelDefaults } from '../models/threshold-curve';
import { chatPrompt, continuationPrompt, promptTail } from './prompt-text';
import type {
  CompletionRequest,
  CompletionResult,
  CursorPlace,
  DecodeMode,
  GenerationRequest,
  GenerationResult,
  StepSummary,
} from './protocol';
import { DeadlineReached, nextTurn, type OpenModel, type StepListener } from './server';
import { fastOptionsOf } from './fast-request';
import { TokenTextStream } from './tokenizer';
import { createTraceWriter } from './trace-text';

export interface CompleterOptions {
  /** Id of the model, for the results. */
  readonly model: string;
  readonly format: PromptFormat;
  readonly stepper: Stepper;
  readonly tokenizer: TextTokenizer;
  /** Where exact mode's drafts come from; without it that mode decodes plainly. */
  readonly drafter?: Drafter;
  /** The model's heads; without them fast mode decodes plainly. */
  readonly proposer?: Proposer;
  /** The model's co-occurrence table, read when fast mode asks for it first. */
  readonly table?: () => Promise<CooccurrenceTable>;
  /** How the model decodes where a request does not say. */
  readonly defaults?: ModelDefaults;
}

export type Completer = Pick<OpenModel, 'complete' | 'generate'>;

/** Characters of text outside the prompt that drafts may repeat. */
const NEARBY = 4096;

/** Texts written before that drafts may repeat, and tokens in front of each, to be found by. */
const MOST_WRITTEN = 2;
const LEAD = 3;

/** What one generation needs beyond the prompt. */
interface Run {
  readonly request: CompletionRequest | GenerationRequest;
  readonly prompt: readonly number[];
  /** Text that the first token repeats and that is no part of the result. */
  readonly healed: string;
  /** Text that the drafts may repeat, beside the prompt. */
  readonly nearby?: readonly number[];
  readonly stopper?: Stopper;
  readonly onStep?: StepListener;
  /** Told what was written, however it ended. */
  readonly onEnd?: (tokens: readonly number[]) => void;
}

export function createCompleter(options: CompleterOptions): Completer {
  const { model, format, stepper, tokenizer, drafter, proposer } = options;
  const stopTokens = new Set(
    format.stop.flatMap((name) => tokenizer.control(name) ?? []), // Not every model has them all.
  );

  const encodeNearby = remembering((text) => tokenizer.encode(text));
  /** What was written last, given up or not: of another beginning much is often written again. */
  let written: readonly (readonly number[])[] = [];

  async function complete(
    request: CompletionRequest,
    signal: AbortSignal,
    onStep?: StepListener,
  ): Promise<CompletionResult> {
    const { prefix, suffix, language, raw } = request;
    const context = { prefix, suffix, language };
    const multiline = allowsSeveralLines(context, lineMode(request.multiline));
    const { kind, tokens, healed, truncated } = cursorPrompt(request, format, tokenizer, stepper);
    const stopper = stopperFor(request, context, multiline);
    // Text right of the cursor that the prompt has not, and that may be repeated.
    const beyond = kind === 'continuation' ? suffix : truncated.suffix ? suffix : '';
    const drafting = modeFor(request, options) === 'exact';
    const text = drafting ? encodeNearby(beyond.slice(0, NEARBY)) : [];
    const nearby = drafting && !raw ? [...text, ...written.flat()] : text;
    const onEnd = (said: readonly number[]): void => {
      if (said.length < 2) return;
      written = [[...tokens.slice(-LEAD), ...said], ...written].slice(0, MOST_WRITTEN);
    };
    const outcome = await run(
      {
        request,
        prompt: tokens,
        healed,
        nearby,
        ...(drafting && !raw && { onEnd }),
        ...(stopper && { stopper }),
        ...(onStep && { onStep }),
      },
      signal,
    );
    if (raw) return { kind: 'completion', ...outcome, replaceRight: 0 };
    const interrupted = ['maxTokens', 'deadline', 'context'].includes(outcome.stopReason);
    const shown = postprocess(outcome.text, context, { multiline, interrupted });
    return {
      kind: 'completion',
      ...outcome,
      text: shown?.text ?? '',
      replaceRight: shown?.replace ?? 0,
    };
  }

  async function generate(
    request: GenerationRequest,
    onStep: StepListener,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const room = stepper.contextLength - reserved(stepper.contextLength, request.maxTokens);
    const { tokens: prompt, healed } = generationPrompt(request, room);
    return { kind: 'generation', ...(await run({ request, prompt, healed, onStep }, signal)) };
  }

  function generationPrompt(
    request: GenerationRequest,
    room: number,
  ): { readonly tokens: readonly number[]; readonly healed: string } {
    const { prompt, chat, begun, suffix, language = 'plaintext', maxTokens } = request;
    if (chat) return { tokens: chatPrompt(prompt, tokenizer, room, begun), healed: '' };
    if (suffix === undefined) {
      return { tokens: continuationPrompt(prompt, tokenizer, room), healed: '' };
    }
    const context = { prefix: prompt, suffix, language };
    const budget = budgetFor(stepper.contextLength, maxTokens);
    return buildPrompt({ context, format, tokenizer, budget });
  }

  async function run(
    { request, prompt, healed, nearby = [], stopper, onStep, onEnd }: Run,
    signal: AbortSignal,
  ) {
    const { maxTokens, temperature, seed, drafts, trace } = request;
    const mode = modeFor(request, options);
    const { rows = options.defaults?.rows } = request;
    const table = mode === 'fast' ? await options.table?.() : undefined;
    const started = performance.now();
    let prefill: PrefillTrace | undefined;
    const healing = healed === '' ? undefined : healingOf(healed, tokenizer);
    const decodeOptions: DecodeOptions = {
      mode,
      ...(drafter && { drafter }),
      drafts: { ...drafts, nearby },
      ...(rows !== undefined && { rows }),
      ...(proposer && {
        fast: { ...fastOptionsOf(request), epsilon: epsilonFor(request, options), table, proposer },
      }),
      ...(trace && { trace }),
      maxTokens,
      stopTokens,
      onPrefill: (trace) => (prefill = trace),
      ...(temperature !== undefined && { temperature }),
      ...(seed !== undefined && { seed }),
      ...(healing && { healing }),
    };
    const writeTrace = trace && createTraceWriter(format, tokenizer);
    const steps: StepSummary[] = [];
    const tokens: number[] = [];
    const stream = new TokenTextStream(tokenizer);
    let text = ''; // Begins with the healed text.
    let stopReason: string | undefined;
    const decoding = decode(stepper, prompt, decodeOptions, signal);
    try {
      while (stopReason === undefined) {
        const next = await decoding.next();
        if (next.done) {
          stopReason = next.value;
          break;
        }
        const step = next.value;
        const { source, confidence, rows, draft, ms } = step;
        const told = step.trace && writeTrace?.(step.trace);
        const pieces = step.tokens.map((id) => stream.push(id));
        const piece = pieces.join('');
        const certain = piece.slice(Math.max(0, healed.length - text.length));
        const summary: StepSummary = {
          n: step.tokens.length,
          text: certain,
          source,
          confidence,
          rows,
          ms,
          ...(draft && { draft }),
          ...(told && { trace: told }),
          ...(trace && { ids: [...step.tokens] }),
        };
        steps.push(summary);
        onStep?.(summary);
        // Token by token, so that a text ends where it would with one token a step.
        for (const [place, id] of step.tokens.entries()) {
          tokens.push(id);
          text += pieces[place] ?? '';
          const stop = stopper?.next(text.slice(healed.length), tokens);
          if (!stop) continue;
          stopReason = stop.reason;
          text = text.slice(0, healed.length + stop.keep);
          break;
        }
        // A cancellation may have arrived, or the deadline passed.
        if (stopReason === undefined) await nextTurn();
      }
    } catch (error) {
      if (!(error instanceof DeadlineReached)) throw error;
      stopReason = 'deadline';
    } finally {
      onEnd?.(tokens);
      await decoding.return('maxTokens'); // Lets go of the stepper; the value is not used.
    }
    const total = performance.now() - started;
    const prefillMs = prefill?.ms ?? total;
    return {
      text: text.slice(healed.length),
      tokens: tokens.length,
      steps,
      prefillMs,
      decodeMs: Math.max(0, total - prefillMs),
      stopReason,
      model,
      mode,
      promptTokens: prompt.length,
      reusedTokens: prefill?.reused ?? 0,
      promptTail: promptTail(prompt, format, tokenizer) + healed,
    };
  }

  return { complete, generate };
}

/** The prompt of a place in a document. */
export function cursorPrompt(
  { prefix, suffix, language, maxTokens, order, files }: CursorPlace,
  format: PromptFormat,
  tokenizer: TextTokenizer,
  { contextLength }: Pick<Stepper, 'contextLength'>,
): Prompt {
  return buildPrompt({
    context: { prefix, suffix, language },
    format,
    tokenizer,
    budget: budgetFor(contextLength, maxTokens),
    ...(order && { order }),
    ...(files && { files }),
  });
}

/** Remembers the last answer: what is right of the cursor stays while the user types. */
function remembering<T>(make: (text: string) => T): (text: string) => T {
  let last: { readonly text: string; readonly made: T } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, made: make(text) };
    return last.made;
  };
}

type Asked = Pick<CompletionRequest, 'mode' | 'epsilon'>;

function epsilonFor({ epsilon }: Asked, { defaults }: CompleterOptions): number {
  return epsilon ?? defaults?.epsilon ?? UNCALIBRATED_EPSILON;
}

/**
 * What a mode runs as: without heads or drafts it is plain decoding. Who asks for fast mode and names no
 * threshold wants speed at the same quality; where the model's own threshold is 1, one token a step, exact
 * mode has that text sooner.
 */
function modeFor(request: Asked, options: CompleterOptions): DecodeMode {
  const { drafter, proposer } = options;
  const single = request.epsilon === undefined && epsilonFor(request, options) === 1;
  const asked = request.mode === 'fast' && single ? 'exact' : request.mode;
  if (asked === 'fast') return proposer ? 'fast' : 'ar';
  return asked === 'exact' && drafter ? 'exact' : 'ar';
}

/** Raw text ends where the model ends it, or at the line's end when one line was asked for. */
function stopperFor(
  request: CompletionRequest,
  context: CursorContext,
  multiline: boolean,
): Stopper | undefined {
  if (!request.raw) return createStopper({ context, multiline });
  return request.multiline === false ? createLineStopper(context) : undefined;
}

/** Rows kept free for what is decoded: never more than half, so that a prompt has room too. */
function reserved(contextLength: number, maxTokens: number): number {
  return Math.min(maxTokens, contextLength >> 1);
}

/** The default budget, scaled down to what a small context holds. */
function budgetFor(contextLength: number, maxTokens: number) {
  const room = contextLength - reserved(contextLength, maxTokens) - MOST_CONTROL_TOKENS;
  const { prefix, suffix, files } = DEFAULT_BUDGET;
  const scale = Math.min(1, Math.max(0, room) / (prefix + suffix + files));
  return {
    prefix: Math.floor(prefix * scale),
    suffix: Math.floor(suffix * scale),
    files: Math.floor(files * scale),
  };
}

export function healingOf(healed: string, tokenizer: TextTokenizer): Healing {
  return {
    bytes: new TextEncoder().encode(healed),
    tokenBytes: (id) => tokenizer.bytes(id),
    encode: (bytes) => tokenizer.encode(new TextDecoder().decode(bytes)),
  };
}
