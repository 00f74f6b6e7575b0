/** The results file of this bench: what was run, then what every mode made of each task. */
import { z } from 'zod';
import { environmentSchema } from '../environment';
import { differingSetUp, resultsFile, type Results as ResultsOf } from '../results-file';
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
  /** Of what the trunk is made of, see bench/environment.ts. Older files lack this. */
  trunkSha256: z.string().optional(),
  /** What the engine was to keep of other prompts, MB. In older files modes found what others had read. */
  cacheMegabytes: z.number().optional(),
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
  /** Beginning of the SHA-256 of what stood there, see places.ts. Older files lack this. */
  expectedSha256: z.string().optional(),
  /** What stood there itself, of our own code: that changes, and what was measured stays true. */
  expected: z.string().optional(),
  modes: z.record(z.string(), outcomeSchema),
});

export type RunHeader = z.infer<typeof header>;
export type Outcome = z.infer<typeof outcomeSchema>;
export type ResultRow = z.infer<typeof row>;

export type Results = ResultsOf<RunHeader, ResultRow>;

export const keyOf = ({ kind, id }: Pick<ResultRow, 'kind' | 'id'>): string => `${kind} ${id}`;

/** Rows by kind and id. */
export const { parseResults, readResults, openResults } = resultsFile<RunHeader, ResultRow>({
  bench: 'this bench',
  header,
  row,
  keyOf,
  madeOtherwise: differingSetUp,
});
