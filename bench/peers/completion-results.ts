/** The results file of whole completions: one row a task, with what every way made of it. */
import { z } from 'zod';
import { environmentSchema } from '../environment';
import { differingSetUp, resultsFile, type Results } from '../results-file';
import { loadedSchema } from './loaded';

/** Our plain and exact mode; llama.cpp's plain decoding and its own two kinds of speculation. */
export const WAYS = ['ar', 'exact', 'llama', 'llama-lookup', 'llama-draft'] as const;
export type Way = (typeof WAYS)[number];

const header = z.object({
  kind: z.literal('peers-completions-run'),
  version: z.literal(1),
  threads: z.number(),
  maxTokens: z.number(),
  /** Version of node-llama-cpp. */
  peer: z.string(),
  environment: environmentSchema,
});

const outcome = z.object({
  /** From the request to the end, and to the first token, ms. The cache holds nothing of the prompt. */
  ms: z.number(),
  firstMs: z.number(),
  tokens: z.number(),
  text: z.string(),
  /** Of the engine's process, all its threads; counted in hundredths of a second. */
  cpuMs: z.number(),
  /** Drafts that were tried, and that held. */
  drafts: z.object({ tried: z.number(), held: z.number() }).optional(),
  /** Of the engine's process behind it, bytes. */
  memory: z.object({ resident: z.number(), peak: z.number() }),
});
export type CompletionOutcome = z.infer<typeof outcome>;

const row = z.object({
  model: z.string(),
  /** What the peer loaded: `same`, or the name of another quantisation's file. */
  peer: z.string(),
  /** Older rows lack this. */
  loaded: loadedSchema.optional(),
  /** Group of prompts: about so many tokens. */
  context: z.number(),
  task: z.string(),
  promptTokens: z.number(),
  ways: z.partialRecord(z.enum(WAYS), outcome),
});

export type CompletionHeader = z.infer<typeof header>;
export type CompletionRow = z.infer<typeof row>;
export type CompletionResults = Results<CompletionHeader, CompletionRow>;

export const completionKey = ({
  model,
  peer,
  context,
  task,
}: Pick<CompletionRow, 'model' | 'peer' | 'context' | 'task'>): string =>
  JSON.stringify([model, peer, context, task]);

/** A task that lacks a way is measured again in all of them, so that they are of one moment. */
export const isDone = (row: CompletionRow | undefined, ways: readonly Way[]): boolean =>
  row !== undefined && ways.every((way) => row.ways[way]);

export const { parseResults, readResults, openResults } = resultsFile<
  CompletionHeader,
  CompletionRow
>({
  bench: 'the peer bench’s completions',
  header,
  row,
  keyOf: completionKey,
  madeOtherwise: differingSetUp,
});
