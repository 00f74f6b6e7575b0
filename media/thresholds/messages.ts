/**
 * The messages between the threshold view's page and the extension. Both sides check every message
 * that they receive: the page is a browser, and what it shows comes from a model. Plain JSON values.
 */
import { z } from 'zod';
import { inspectionSchema } from '../../src/engine/inspection';

const count = z.int().min(0);
const share = z.number().min(0).max(1);
const ms = z.number().min(0).max(86_400_000);
const shortText = z.string().max(4_000);
const mode = z.enum(['ar', 'exact', 'fast']);

/** What the controls set: how completions are decoded. */
export const settingsSchema = z.strictObject({
  mode,
  /** The static threshold ε_b. */
  epsilon: share,
  /** Otsu's adaptive threshold. */
  useOtsu: z.boolean(),
  /** Whether Otsu's threshold is that of the blurred J. */
  useBlur: z.boolean(),
  /** The co-occurrence exponent α_c; 0 is no mask. */
  alpha: z.number().min(0).max(4),
  topK: z.int().min(1).max(50),
  temperature: z.number().min(0.01).max(10),
  /** First tokens that chained heads are asked about: rows of J. */
  chains: z.int().min(1).max(4),
  /** Repetition penalty; 1 is none. */
  penalty: z.number().min(1).max(10),
  /** Drafts looked up in the text, in exact mode. */
  lookup: z.boolean(),
});

/** `editor`: the last one there; `tried`: decoded anew with the settings of this view. */
const origin = z.enum(['editor', 'tried']);

const place = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('cursor') }),
  z.strictObject({ kind: z.literal('prompt'), prompt: z.string().max(100_000) }),
  /** Where a step of a completion that is shown was decided. */
  z.strictObject({ kind: z.literal('step'), origin, step: count }),
]);

/** One decoding step of a completion. */
const stepSchema = z.strictObject({
  text: z.string().max(262_144),
  /** Tokens. */
  n: z.int().min(1),
  source: z.enum(['base', 'head', 'lookup']),
  confidence: share,
  rows: count,
  ms,
  /** Text of the drafts that did not hold. */
  rejected: z.string().max(10_000),
});

const completionSchema = z.strictObject({
  origin,
  /** File, line and column, for people. */
  where: shortText,
  mode,
  model: z.string().max(200),
  steps: z.array(stepSchema).max(32_768),
  /** What the editor shows of it. */
  text: z.string().max(8_388_608),
  tokens: count,
  promptTokens: count,
  reusedTokens: count,
  prefillMs: ms,
  decodeMs: ms,
  stopReason: shortText,
  /** Whether a step can be looked at: its text must still stand before the place. */
  steppable: z.boolean(),
});

/** Over the last completions. */
const countersSchema = z.strictObject({
  completions: count,
  tokens: count,
  steps: count,
  decodeMs: ms,
  /** Median time of a one-row step, ms: what plain decoding takes for a token; absent if unknown. */
  plainMs: ms.exactOptional(),
  /** For each head behind the base: how often it drafted, and how often its draft held. */
  heads: z.array(z.strictObject({ drafted: count, accepted: count })).max(8),
  lookup: z.strictObject({ drafted: count, accepted: count }),
});

const sweepPoint = z.strictObject({
  epsilon: share,
  tokensPerStep: z.number().min(0).max(64),
  /** Against plain decoding of the same places; ×. */
  speedup: z.number().min(0).max(1_000),
  /** Share of characters, from the front, that are those of plain decoding. */
  agreement: share,
});

const sweepSchema = z.strictObject({
  status: z.enum(['running', 'done', 'cancelled', 'failed']),
  where: shortText,
  /** Places in the file that were sampled. */
  places: count,
  done: count,
  total: count,
  points: z.array(sweepPoint).max(101),
  message: shortText.exactOptional(),
});

/** The model card's own curve over ε_b, if its makers measured one. */
const cardSchema = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('measured'),
    points: z.array(sweepPoint).max(101),
    /** What it was measured on, for people. */
    measuredOn: shortText,
  }),
  z.strictObject({ status: z.literal('none') }),
  /** There is one that cannot be read. */
  z.strictObject({ status: z.literal('unreadable'), message: shortText }),
]);

const stateSchema = z.strictObject({
  engine: z.enum(['idle', 'missing', 'installing', 'loading', 'ready', 'restarting', 'failed']),
  busy: z.boolean(),
  /** What happened, where something did. */
  message: shortText,
  model: z.string().max(200),
  /** What is written in the user's settings. */
  saved: settingsSchema,
  /** The model's own. */
  defaults: settingsSchema,
});

const toPage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('state'), state: stateSchema }),
  z.strictObject({
    type: z.literal('inspection'),
    /** Where it was made, for people. */
    where: shortText,
    place: z.enum(['cursor', 'prompt', 'step']),
    inspection: inspectionSchema,
  }),
  z.strictObject({ type: z.literal('looking') }),
  z.strictObject({ type: z.literal('notSeen'), message: shortText }),
  z.strictObject({ type: z.literal('completion'), completion: completionSchema }),
  z.strictObject({ type: z.literal('notTried'), message: shortText }),
  z.strictObject({ type: z.literal('counters'), counters: countersSchema }),
  z.strictObject({ type: z.literal('sweep'), sweep: sweepSchema }),
  z.strictObject({ type: z.literal('card'), card: cardSchema }),
]);

const toHost = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({ type: z.literal('inspect'), place }),
  /** The settings that the controls show now; decodes again with them. */
  z.strictObject({ type: z.literal('try'), settings: settingsSchema }),
  z.strictObject({ type: z.literal('apply'), settings: settingsSchema }),
  z.strictObject({ type: z.literal('reset') }),
  z.strictObject({ type: z.literal('sweep'), settings: settingsSchema }),
  z.strictObject({ type: z.literal('cancelSweep') }),
  z.strictObject({
    type: z.literal('command'),
    command: z.enum(['log', 'install', 'retry']),
  }),
]);

export type ViewSettings = z.infer<typeof settingsSchema>;
export type ViewPlace = z.infer<typeof place>;
export type ViewStep = z.infer<typeof stepSchema>;
export type ViewCompletion = z.infer<typeof completionSchema>;
export type ViewCounters = z.infer<typeof countersSchema>;
export type ViewSweep = z.infer<typeof sweepSchema>;
export type ViewCard = z.infer<typeof cardSchema>;
export type SweepPoint = z.infer<typeof sweepPoint>;
export type ViewState = z.infer<typeof stateSchema>;
export type ToPage = z.infer<typeof toPage>;
export type ToHost = z.infer<typeof toHost>;

/** The message, or undefined when it is none: whatever sent it, it is not acted on. */
export const readToPage = (value: unknown): ToPage | undefined => toPage.safeParse(value).data;

/** The message, or undefined when it is none: whatever sent it, it is not acted on. */
export const readToHost = (value: unknown): ToHost | undefined => toHost.safeParse(value).data;
