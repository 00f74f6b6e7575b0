/** The results file of this bench: what was run, then what every mode made of each task. */
import { z } from 'zod';
import { resultsFile, type Results as ResultsOf } from '../results-file';
import { KINDS } from './tasks';

const header = z.object({
  kind: z.literal('steps-run'),
  version: z.literal(1),
  model: z.string(),
  precision: z.string(),
  heads: z.string(),
  modes: z.array(z.string()),
  maxTokens: z.number(),
  threads: z.number().nullable(),
});

const draft = z.object({
  source: z.enum(['head', 'lookup']),
  tokens: z.number(),
  accepted: z.number(),
});

const outcome = z.object({
  text: z.string(),
  tokens: z.number(),
  stopReason: z.string(),
  /** Tokens of each step. */
  steps: z.array(z.number()),
  drafts: z.array(draft),
  prefillMs: z.number(),
  decodeMs: z.number(),
  /** Whether the text passes the task's tests; absent where there are none. */
  passed: z.boolean().optional(),
});

const row = z.object({
  id: z.string(),
  kind: z.enum(KINDS),
  modes: z.record(z.string(), outcome),
});

export type RunHeader = z.infer<typeof header>;
export type Outcome = z.infer<typeof outcome>;
export type ResultRow = z.infer<typeof row>;

export type Results = ResultsOf<RunHeader, ResultRow>;

export const keyOf = ({ kind, id }: Pick<ResultRow, 'kind' | 'id'>): string => `${kind} ${id}`;

/** Rows by kind and id. */
export const { readResults, openResults } = resultsFile<RunHeader, ResultRow>({
  bench: 'this bench',
  header,
  row,
  keyOf,
  madeOtherwise(found, wanted) {
    const how = JSON.stringify(found);
    return how === JSON.stringify(wanted) ? undefined : `by another run, ${how}`;
  },
});
