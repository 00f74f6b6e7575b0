/**
 * The results file of the peer bench: one row a pair of processes, with what loading took, and one a
 * model, context and round, with what was measured in them.
 */
import { z } from 'zod';
import { environmentSchema, machineOf, threadsOf } from '../environment';
import { resultsFile } from '../results-file';
import { loadedSchema } from './loaded';

const memory = z.object({ resident: z.number(), peak: z.number() });
const side = z.object({
  /** Of the round's prefill, ms a token. */
  prefillMs: z.number(),
  /** Of single steps; in older files, of our engine, the median of the round. */
  stepMs: z.array(z.number()).readonly(),
  /** Likewise, with three rows. */
  threeRowsMs: z.union([z.number(), z.array(z.number()).readonly()]).optional(),
  /** Behind this round, bytes. */
  memory,
  /** In older files, of the process that measured it: the same in all of its rows. */
  loadMs: z.number().optional(),
});

const header = z.object({
  kind: z.literal('peers-run'),
  version: z.literal(1),
  threads: z.number(),
  processor: z.string(),
  /** Version of node-llama-cpp. Older files lack this and the environment. */
  peer: z.string().optional(),
  environment: environmentSchema.optional(),
});
export type Header = z.infer<typeof header>;

const subject = {
  model: z.string(),
  /** What the peer loaded: `same`, or the name of another quantisation's file. */
  peer: z.string(),
  /** Older rows lack this. */
  loaded: loadedSchema.optional(),
};

const round = z.object({
  ...subject,
  context: z.number(),
  round: z.number(),
  ours: side,
  theirs: side,
});
export type RoundRow = z.infer<typeof round>;

const loading = z.object({ loadMs: z.number() });
const load = z.object({
  ...subject,
  /** Pairs of processes that were loaded before. */
  load: z.number(),
  /** Which of the two was loaded first. */
  first: z.enum(['ours', 'theirs']),
  ours: loading,
  theirs: loading,
});
export type LoadRow = z.infer<typeof load>;
export type Row = RoundRow | LoadRow;

export const isRound = (row: Row): row is RoundRow => 'round' in row;

type Key<T> = Omit<T, 'ours' | 'theirs' | 'loaded' | 'first'>;

export function rowKey(row: Key<RoundRow> | Key<LoadRow>): string {
  const { model, peer } = row;
  const what = 'round' in row ? [row.context, row.round] : ['load', row.load];
  return JSON.stringify([model, peer, ...what]);
}

/** What rows of one file have in common. */
function setUp({ threads, peer, processor, environment }: Header): string {
  const machine = environment ? machineOf(environment) : processor;
  return `with ${threadsOf(threads)} on ${machine} beside node-llama-cpp ${peer ?? 'of a version it does not tell'}`;
}

export const { parseResults, readResults, openResults } = resultsFile<Header, Row>({
  bench: 'the peer bench',
  header,
  row: z.union([round, load]),
  keyOf: rowKey,
  madeOtherwise: (found, wanted) => (setUp(found) === setUp(wanted) ? undefined : setUp(found)),
});
