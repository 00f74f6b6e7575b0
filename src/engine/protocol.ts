/**
 * The messages between the parent (editor or command line) and the engine's child process.
 *
 * Both sides check every message that they receive, for each may be of another version, and a child
 * with broken native code may say anything. Plain JSON values only; all sizes are bounded.
 */
import { z } from 'zod';
import type { PromptFormat } from '../completion/types';
import type { StepTrace } from '../decoding/trace';
import { EngineError, ERROR_CODES, ProtocolError } from './errors';
import { INSPECTION_LIMITS, inspectionSchema } from './inspection';

/** Raised with every change of a message's shape. */
export const PROTOCOL_VERSION = 6;

/** Sizes that both sides hold to. */
export const LIMITS = {
  /** Characters of a document on one side of the cursor, or of a prompt. */
  text: 262_144,
  /** Characters of one other file, and how many of them a request may have. */
  file: 16_384,
  files: 8,
  /** Tokens of one generation. */
  tokens: 32_768,
  /** Bytes of one message. */
  message: 8 * 1024 * 1024,
  /** Rows of one step, see Stepper. */
  rows: 8,
  /** Candidates of a prediction. */
  candidates: 50,
  /** Index of a provider's last device. */
  device: 63,
  /** Rows of a probe's answer. */
  probed: 256,
  /** Numbers of all steps' traces together; later steps have none. */
  traced: 150_000,
} as const;

const count = z.int().min(0);
const requestId = z.int().min(1);
const text = z.string().max(LIMITS.text);
const name = z.string().min(1).max(200);
const path = z.string().min(1).max(4096);
const milliseconds = z.number().min(0).max(86_400_000);
const probability = z.number().min(0).max(1);
const mode = z.enum(['ar', 'exact', 'fast']);

/** Parts of fast mode; see decoding/fast-options.ts. What is absent is as the paper has it. */
export const fastOptions = z.strictObject({
  /** The most tokens of a step. */
  maxOrder: z.int().min(1).max(4).exactOptional(),
  topK: z.int().min(1).max(1_000_000).exactOptional(),
  /** Of J, where the likeliest tokens are taken; else the request's temperature is. */
  temperature: z.number().min(0.01).max(10).exactOptional(),
  /** The co-occurrence exponent α_c; 0 switches the mask off. */
  alpha: z.number().min(0).max(4).exactOptional(),
  /** Lift of n-grams that the table does not hold. */
  unseen: z.union([z.literal('parts'), z.number().min(0).max(1e6)]).exactOptional(),
  useStatic: z.boolean().exactOptional(),
  useOtsu: z.boolean().exactOptional(),
  useBlur: z.boolean().exactOptional(),
  /** Repetition penalty; 1 switches it off. */
  penalty: z.number().min(1).max(1000).exactOptional(),
  penaltyWindow: count.max(LIMITS.tokens).exactOptional(),
  repeats: z.enum(['token', 'ngram']).exactOptional(),
  /** First tokens for which chained heads are evaluated. */
  chains: z.int().min(1).max(4).exactOptional(),
});

/** Where exact mode may take drafts from; both when absent. */
export const draftSources = z.strictObject({
  heads: z.boolean().exactOptional(),
  lookup: z.boolean().exactOptional(),
});

/** How to decode; the same for completions and open-ended text. */
const decoding = {
  maxTokens: z.int().min(1).max(LIMITS.tokens),
  mode,
  /** The static threshold ε_b of fast mode; the model's own default when absent. */
  epsilon: probability.exactOptional(),
  /** Rows of a step of exact mode at most; the model's own default when absent. */
  rows: z.int().min(1).max(LIMITS.rows).exactOptional(),
  temperature: z.number().min(0).max(10).exactOptional(),
  seed: z.int().exactOptional(),
  fast: fastOptions.exactOptional(),
  drafts: draftSources.exactOptional(),
  /** Asks for a trace of each step, with so many candidates of each head. */
  trace: z.strictObject({ candidates: z.int().min(1).max(LIMITS.candidates) }).exactOptional(),
  /** Counted from the request's arrival; what is there by then is the result. */
  deadlineMs: milliseconds.min(1).exactOptional(),
};

/** A place in a document, and what else decides its prompt. */
const cursorPlace = {
  prefix: text,
  suffix: text,
  /** VS Code's language identifier. */
  language: z.string().max(100),
  /** Overrides the model's order of the fill-in-the-middle fields. */
  order: z.enum(['suffix-first', 'prefix-first']).exactOptional(),
  /** Parts of other files that the model may look at. Their order matters to the KV cache. */
  files: z
    .array(z.strictObject({ name: z.string().max(500), text: z.string().max(LIMITS.file) }))
    .max(LIMITS.files)
    .exactOptional(),
};

const completionRequest = z.strictObject({
  ...cursorPlace,
  /** `auto` lets the text around the cursor decide. */
  multiline: z.union([z.boolean(), z.literal('auto')]),
  /** Skips post-processing. */
  raw: z.boolean(),
  /** Takes no other completion's place, but gives its own to any that is not of this kind. */
  background: z.boolean().exactOptional(),
  /** Tells each step while it happens, as a generation does. */
  stream: z.boolean().exactOptional(),
  ...decoding,
});

const generationRequest = z.strictObject({
  prompt: text,
  /** Wraps the prompt as a user's turn of a conversation; otherwise the text is continued. */
  chat: z.boolean(),
  /** How the model's turn begins, in a conversation; no part of the result. */
  begun: z.string().max(1000).exactOptional(),
  /** What stands behind the place, so that a model with fill-in-the-middle leads there. */
  suffix: text.exactOptional(),
  /** VS Code's language identifier; with `suffix`. */
  language: z.string().max(100).exactOptional(),
  ...decoding,
});

const measureRequest = z.strictObject({
  /** Measures steps of 1 to this many rows. */
  rows: z.int().min(1).max(LIMITS.rows),
  /** Rows in the KV cache before the steps. */
  context: z.int().min(1).max(LIMITS.tokens),
  /** Steps measured for each number of rows; the median counts. */
  repeats: z.int().min(1).max(100),
});

const inspectRequest = z.strictObject({
  /** Where to look: at a cursor as a completion there would, or behind a text. */
  place: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('cursor'),
      ...cursorPlace,
      /** Of the completion, because it decides how much of the document fits. */
      maxTokens: z.int().min(1).max(LIMITS.tokens),
    }),
    z.strictObject({ kind: z.literal('prompt'), prompt: text }),
  ]),
  /** Tokens generated behind it so far. */
  after: z.array(z.int().min(0).max(0x7fffffff)).max(LIMITS.tokens).exactOptional(),
  /** First tokens that chained heads are followed for. */
  chains: z.int().min(1).max(INSPECTION_LIMITS.chains),
});

/** Which execution provider of ONNX Runtime runs a model, on which of its devices. */
const provider = z.strictObject({
  name: z.enum(['cpu', 'cuda', 'dml']),
  device: z.int().min(0).max(LIMITS.device),
});

const promptFormat: z.ZodType<PromptFormat> = z.strictObject({
  fim: z
    .strictObject({
      prefix: name,
      suffix: name,
      middle: name,
      order: z.enum(['suffix-first', 'prefix-first']),
    })
    .exactOptional(),
  stop: z.array(name).max(100),
});

/** How a model decodes where a request does not say, see models/threshold-curve. */
const modelDefaults = z.strictObject({
  epsilon: probability.exactOptional(),
  rows: z.int().min(1).max(LIMITS.rows).exactOptional(),
});

/** An installed model's files, see models/installed. */
const modelFiles = z.strictObject({
  id: name,
  precision: z.enum(['int8', 'fp32', 'fp16']),
  graph: path,
  weights: path,
  tokenizer: path,
  /** Token heads; without them the model decodes plainly, or with looked-up drafts. */
  heads: z
    .strictObject({
      name,
      graph: path,
      kind: z.enum(['independent', 'chained']),
      /** Tokens that they propose. */
      depth: z.int().min(1).max(7),
      provisional: z.int().min(0).max(6),
    })
    .exactOptional(),
  defaults: modelDefaults.exactOptional(),
  /** The co-occurrence table, checked when it is first used. */
  table: z.strictObject({ file: path, sha256: z.string().regex(/^[0-9a-f]{64}$/) }).exactOptional(),
  contextLength: z.int().min(1).max(1_048_576),
  prompt: promptFormat,
});

const loadOptions = z.strictObject({
  /** Rows of the KV cache, at most the model's context. */
  contextLength: z.int().min(1).max(1_048_576).exactOptional(),
  /** Threads of one operator; the engine chooses when absent. */
  threads: z.int().min(1).max(256).exactOptional(),
  /** Memory for what is kept of several documents, MB; the engine chooses when absent. */
  cacheMegabytes: z.int().min(0).max(65_536).exactOptional(),
  /** The CPU when absent. */
  provider: provider.exactOptional(),
});

const modelInfo = z.strictObject({
  id: name,
  precision: z.enum(['int8', 'fp32', 'fp16']),
  /** Rows that the KV cache holds. */
  contextLength: z.int().min(1),
  /** The token heads that were loaded. */
  heads: z
    .strictObject({
      name,
      kind: z.enum(['independent', 'chained']),
      depth: z.int().min(1).max(7),
    })
    .exactOptional(),
  /** Whether fast mode has a co-occurrence table. */
  table: z.boolean().exactOptional(),
  /** ε_b of fast mode where a request does not say. */
  epsilon: probability.exactOptional(),
  /** What runs it; the CPU when absent. */
  provider: provider.exactOptional(),
  /** Whether its graphs are prepared for this processor, or need not be. */
  prepared: z.boolean().exactOptional(),
  loadMs: milliseconds,
});

const tokenIds = z.array(count).max(LIMITS.candidates);

const tracedCandidates = z.strictObject({
  ids: tokenIds,
  logits: z.array(z.number()).max(LIMITS.candidates),
  logNormalizer: z.number(),
  texts: z.array(z.string().max(1000)).max(LIMITS.candidates).exactOptional(),
});

const tracedPlace = z.strictObject({
  base: tracedCandidates.exactOptional(),
  head: tracedCandidates.exactOptional(),
  draft: z
    .strictObject({
      id: count,
      text: z.string().max(1000).exactOptional(),
      source: z.enum(['head', 'lookup']),
      fate: z.enum(['accepted', 'refused', 'unreached']),
    })
    .exactOptional(),
});

const orderTrace = z.strictObject({
  order: z.int().min(2).max(4),
  staticThreshold: z.number(),
  adaptiveThreshold: z.number().exactOptional(),
  survivors: count,
  largest: z.number(),
  unmasked: z.boolean(),
  outcome: z.enum(['chosen', 'empty', 'low']),
});

const tracedDecision = z.strictObject({
  order: z.int().min(1).max(4),
  joint: z.number(),
  epsilon: probability,
  tried: z.array(orderTrace).max(4),
  cells: z
    .array(
      z.strictObject({
        ids: tokenIds,
        texts: z.array(z.string().max(1000)).max(4).exactOptional(),
        value: z.number(),
        survives: z.boolean(),
      }),
    )
    .max(100),
});

/** See decoding/trace.ts. */
const stepTrace: z.ZodType<StepTrace> = z.strictObject({
  places: z.array(tracedPlace).max(LIMITS.rows),
  heads: z.enum(['independent', 'chained']).exactOptional(),
  decision: tracedDecision.exactOptional(),
  draftMs: milliseconds,
  decideMs: milliseconds,
});

const stepSummary = z.strictObject({
  /** Tokens that became certain in this step. */
  n: z.int().min(1).max(LIMITS.tokens),
  /** The text that these tokens made certain; may be empty in the middle of a character. */
  text: z.string().max(LIMITS.text),
  source: z.enum(['base', 'head', 'lookup']),
  confidence: probability,
  rows: count,
  /** What exact mode tried behind the certain tokens; absent where it tried nothing. */
  draft: z
    .strictObject({
      source: z.enum(['head', 'lookup']),
      tokens: z.int().min(1).max(LIMITS.rows),
      accepted: z.int().min(0).max(LIMITS.rows),
    })
    .exactOptional(),
  ms: milliseconds,
  trace: stepTrace.exactOptional(),
  /** Ids of the tokens, where traces were asked for. */
  ids: z.array(count).max(LIMITS.tokens).exactOptional(),
});

/** What both kinds of result tell about how the text came about. */
const outcome = {
  text: z.string().max(LIMITS.message),
  /** Tokens decoded, those that post-processing cut included. */
  tokens: count,
  steps: z.array(stepSummary).max(LIMITS.tokens),
  prefillMs: milliseconds,
  decodeMs: milliseconds,
  stopReason: z.string().max(100),
  model: name,
  /** The mode that ran. */
  mode,
  promptTokens: count,
  /** Prompt tokens whose keys and values were still in the cache. */
  reusedTokens: count,
  /** The end of what the model saw, for people to read. */
  promptTail: z.string().max(2000),
};

const completionResult = z.strictObject({
  kind: z.literal('completion'),
  ...outcome,
  /** Characters right of the cursor that the text replaces. */
  replaceRight: z.int().min(0).max(LIMITS.text),
});

const generationResult = z.strictObject({ kind: z.literal('generation'), ...outcome });

const measureResult = z.strictObject({
  kind: z.literal('measure'),
  context: count,
  /** Prefill, ms a token. */
  prefillMs: milliseconds,
  /** Median time of a step by rows, one row first, ms. */
  stepMs: z.array(milliseconds).min(1).max(LIMITS.rows),
});

/** What a model answers to a question that is always the same, and how fast: see probe-model.ts. */
const probeResult = z.strictObject({
  kind: z.literal('probe'),
  /** Of each row the best candidates and their log-probabilities; null is no number at all. */
  rows: z
    .array(z.strictObject({ ids: tokenIds, logs: z.array(z.number().nullable()).max(50) }))
    .max(LIMITS.probed),
  /** Prefill, ms a token. */
  prefillMs: milliseconds,
  /** Median time of a step with one row, ms. */
  stepMs: milliseconds,
});

const preparedResult = z.strictObject({
  kind: z.literal('prepared'),
  /** Whether there is nothing left to prepare; false where the disk has no room. */
  prepared: z.boolean(),
});

const toChild = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), version: z.int() }),
  z.strictObject({
    type: z.literal('load'),
    id: requestId,
    model: modelFiles,
    options: loadOptions,
  }),
  /** Prepares a model's graphs for this processor, see models/prepared.ts; loads nothing. */
  z.strictObject({
    type: z.literal('prepare'),
    id: requestId,
    model: modelFiles,
    options: loadOptions,
  }),
  z.strictObject({ type: z.literal('complete'), id: requestId, request: completionRequest }),
  z.strictObject({ type: z.literal('generate'), id: requestId, request: generationRequest }),
  z.strictObject({ type: z.literal('measure'), id: requestId, request: measureRequest }),
  z.strictObject({ type: z.literal('inspect'), id: requestId, request: inspectRequest }),
  z.strictObject({ type: z.literal('probe'), id: requestId }),
  z.strictObject({ type: z.literal('cancel'), id: requestId }),
  z.strictObject({ type: z.literal('ping'), id: requestId }),
  z.strictObject({ type: z.literal('shutdown') }),
]);

const toParent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), version: z.int() }),
  z.strictObject({ type: z.literal('loaded'), id: requestId, info: modelInfo }),
  z.strictObject({
    type: z.literal('step'),
    id: requestId,
    step: stepSummary,
  }),
  z.strictObject({
    type: z.literal('result'),
    id: requestId,
    result: z.discriminatedUnion('kind', [
      completionResult,
      generationResult,
      measureResult,
      inspectionSchema,
      probeResult,
      preparedResult,
    ]),
  }),
  z.strictObject({
    type: z.literal('error'),
    id: requestId,
    code: z.enum(ERROR_CODES),
    message: z.string().max(4000),
  }),
  z.strictObject({ type: z.literal('pong'), id: requestId }),
  /** Sent when it changes. */
  z.strictObject({ type: z.literal('state'), state: z.enum(['idle', 'loading', 'busy']) }),
]);

export type DecodeMode = z.infer<typeof mode>;
export type CompletionRequest = z.infer<typeof completionRequest>;
export type CursorPlace = Pick<CompletionRequest, keyof typeof cursorPlace | 'maxTokens'>;
export type GenerationRequest = z.infer<typeof generationRequest>;
export type MeasureRequest = z.infer<typeof measureRequest>;
export type InspectRequest = z.infer<typeof inspectRequest>;
export type ModelFiles = z.infer<typeof modelFiles>;
export type LoadOptions = z.infer<typeof loadOptions>;
export type ModelInfo = z.infer<typeof modelInfo>;
export type StepSummary = z.infer<typeof stepSummary>;
export type CompletionResult = z.infer<typeof completionResult>;
export type GenerationResult = z.infer<typeof generationResult>;
export type MeasureResult = z.infer<typeof measureResult>;
export type ProbeResult = z.infer<typeof probeResult>;
export type PreparedResult = z.infer<typeof preparedResult>;
export type Provider = z.infer<typeof provider>;
export type ToChild = z.infer<typeof toChild>;
export type ToParent = z.infer<typeof toParent>;
/** A request without its id. */
export type RequestBody = WithoutId<
  Extract<
    ToChild,
    { type: 'load' | 'prepare' | 'complete' | 'generate' | 'measure' | 'inspect' | 'probe' }
  >
>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
export type WorkState = Extract<ToParent, { type: 'state' }>['state'];

/** @throws {ProtocolError} */
export const parseToChild = (value: unknown): ToChild => parse(toChild, value);

/** @throws {ProtocolError} */
export const parseToParent = (value: unknown): ToParent => parse(toParent, value);

/**
 * Checks a request before it is sent, so that a caller's mistake does not look like a broken pipe.
 *
 * @throws {EngineError} `badRequest`
 */
export function checkRequest(body: RequestBody): void {
  const parsed = toChild.safeParse({ ...body, id: 1 });
  if (!parsed.success) {
    throw new EngineError('badRequest', `The request is not valid (${describe(parsed.error)}).`);
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ProtocolError(
    `A message does not fit the engine's protocol (${describe(parsed.error)}).`,
  );
}

/** Names the fields that are wrong, but not what they hold: that may be the user's text. */
function describe(error: z.ZodError): string {
  const issues = error.issues
    .slice(0, 3)
    .map(({ path, code }) => `${path.map(String).join('.') || 'message'}: ${code}`);
  return issues.join('; ').slice(0, 500);
}
