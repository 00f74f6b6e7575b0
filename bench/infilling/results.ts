/** The results file of this harness: what was run, then what became of each task. */
import { z } from 'zod';
import { resultsFile, type Results as ResultsOf } from '../results-file';

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

const TOLD_APART_BY = ['tasks', 'seed', 'order', 'maxTokens', 'source'] as const;

/** Rows by their task's id. */
export const { parseResults, readResults, openResults } = resultsFile<RunHeader, ResultRow>({
  bench: 'this harness',
  header,
  row,
  keyOf: ({ id }) => id,
  madeOtherwise(found, wanted) {
    const key = TOLD_APART_BY.find((name) => found[name] !== wanted[name]);
    if (key === undefined) return undefined;
    return `with ${key} ${JSON.stringify(found[key])}, not ${JSON.stringify(wanted[key])}`;
  },
});
