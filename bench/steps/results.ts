/** The results file of this bench: what was run, then what every mode made of each task. */
import { z } from 'zod';
import { environmentSchema } from '../environment';
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
  /** SHA-256 of the trained heads; newer ones may have the same name. Older files lack this. */
  headsSha256: z.string().optional(),
  /** Rows of a step of exact mode at most, the model's default; where there is one. */
  rows: z.number().optional(),
  environment: environmentSchema.optional(),
});

const draft = z.object({
  source: z.enum(['head', 'lookup']),
  tokens: z.number(),
  accepted: z.number(),
});

export const outcomeSchema = z.object({
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
  modes: z.record(z.string(), outcomeSchema),
});

export type RunHeader = z.infer<typeof header>;
export type Outcome = z.infer<typeof outcomeSchema>;
export type ResultRow = z.infer<typeof row>;

export type Results = ResultsOf<RunHeader, ResultRow>;

export const keyOf = ({ kind, id }: Pick<ResultRow, 'kind' | 'id'>): string => `${kind} ${id}`;

/** What rows of one file have in common; a commit that changes a document need not end a run. */
function setUp({ environment, headsSha256, ...run }: RunHeader, like: RunHeader): string {
  const { processor, cores, onnxruntime } = environment ?? {};
  // Files that were begun before headers told it go on without.
  const machine = like.environment && [processor, cores, onnxruntime];
  return JSON.stringify([run, like.headsSha256 && headsSha256, machine]);
}

/** Rows by kind and id. */
export const { parseResults, readResults, openResults } = resultsFile<RunHeader, ResultRow>({
  bench: 'this bench',
  header,
  row,
  keyOf,
  madeOtherwise(found, wanted) {
    return setUp(found, found) === setUp(wanted, found)
      ? undefined
      : `by another run, ${JSON.stringify(found)}`;
  },
});
