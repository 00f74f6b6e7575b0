/** The results file of this harness: what was run, then what became of each task. */
import { z } from 'zod';
import { environmentSchema, modelVersionSchema } from '../environment';
import { differingSetUp, resultsFile, type Results as ResultsOf } from '../results-file';

const header = z.object({
  kind: z.literal('infilling-run'),
  version: z.literal(1),
  /** Name of the task file. */
  tasks: z.string(),
  seed: z.number(),
  order: z.string(),
  maxTokens: z.number(),
  /** The command, the completions file, or `canonical`. */
  source: z.string(),
  /** SHA-256 of the completions file. */
  completionsSha256: z.string().optional(),
  /** What the command completes with: the model, where the command is this checkout's. */
  model: modelVersionSchema.optional(),
  /** What a command of another kind is said to complete with. */
  label: z.string().optional(),
  /** Older files lack this, and what comes before it. */
  environment: environmentSchema.optional(),
});

const row = z.object({
  id: z.string(),
  /** `error` when there was no completion; such tasks are asked again by the next run. */
  verdict: z.enum(['passed', 'failed', 'timeout', 'error']),
  detail: z.string(),
  /** The completion as it was given. */
  text: z.string().optional(),
  /** The part of it that was tested. */
  line: z.string().optional(),
  exact: z.boolean(),
  tokens: z.number().optional(),
  steps: z.number().optional(),
  prefillMs: z.number().optional(),
  decodeMs: z.number().optional(),
  stopReason: z.string().optional(),
});

export type RunHeader = z.infer<typeof header>;
export type ResultRow = z.infer<typeof row>;

export type Results = ResultsOf<RunHeader, ResultRow>;

/** Rows by their task's id. */
export const { parseResults, readResults, openResults } = resultsFile<RunHeader, ResultRow>({
  bench: 'this harness',
  header,
  row,
  keyOf: ({ id }) => id,
  madeOtherwise: differingSetUp,
});
