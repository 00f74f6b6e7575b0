/** The results file of a profile: what was loaded, then where the time of one kind of run went. */
import { z } from 'zod';
import { environmentSchema, modelVersionSchema } from '../../environment';
import { differingSetUp, resultsFile, type Results as ResultsOf } from '../../results-file';

const header = z.object({
  kind: z.literal('profile-run'),
  version: z.literal(1),
  model: modelVersionSchema,
  threads: z.number(),
  environment: environmentSchema,
});

const row = z.object({
  /** A step of the trunk, or what the heads take to propose. */
  part: z.enum(['trunk', 'heads']),
  /** Tokens before it. */
  context: z.number(),
  /** Of the step. */
  rows: z.number(),
  /** Runs that were timed. */
  runs: z.number(),
  /** Wall time of a step without the profiler, median; ms. */
  ms: z.number(),
  /** With it, and of ONNX Runtime's run therein; means of the runs in the middle. */
  profiledMs: z.number(),
  runMs: z.number(),
  /** By kind of operator, the slowest first. */
  operators: z.array(z.object({ name: z.string(), ms: z.number(), calls: z.number() })).readonly(),
});

export type ProfileHeader = z.infer<typeof header>;
export type ProfileRow = z.infer<typeof row>;
export type ProfileResults = ResultsOf<ProfileHeader, ProfileRow>;

export const keyOf = ({ part, context, rows }: Pick<ProfileRow, 'part' | 'context' | 'rows'>) =>
  `${part} ${context} ${rows}`;

export const { parseResults, openResults } = resultsFile<ProfileHeader, ProfileRow>({
  bench: 'the profile',
  header,
  row,
  keyOf,
  madeOtherwise: differingSetUp,
});
