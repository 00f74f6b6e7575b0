/** The results file of the peer bench: what was measured, one row a model, context and round. */
import { z } from 'zod';
import { environmentSchema } from '../environment';
import { resultsFile } from '../results-file';

const measured = z.object({
  prefillMs: z.number(),
  stepMs: z.array(z.number()).readonly(),
  threeRowsMs: z.number().optional(),
});
const memory = z.object({ resident: z.number(), peak: z.number() });
const side = measured.extend({
  loadMs: z.number(),
  /** Behind this round, bytes. */
  memory,
});

const header = z.object({
  kind: z.literal('peers-run'),
  version: z.literal(1),
  threads: z.number(),
  processor: z.string(),
  /** Older files lack this. */
  environment: environmentSchema.optional(),
});
export type Header = z.infer<typeof header>;

const row = z.object({
  model: z.string(),
  /** What the peer loaded: `same`, or the name of another quantisation's file. */
  peer: z.string(),
  context: z.number(),
  round: z.number(),
  /** `loadMs` is of the processes that measured it, which may have measured other rows before. */
  ours: side,
  theirs: side,
});
export type Row = z.infer<typeof row>;

export const rowKey = ({ model, peer, context, round }: Omit<Row, 'ours' | 'theirs'>): string =>
  JSON.stringify([model, peer, context, round]);

export const { parseResults, readResults, openResults } = resultsFile<Header, Row>({
  bench: 'the peer bench',
  header,
  row,
  keyOf: rowKey,
  madeOtherwise: (found, wanted) =>
    found.threads === wanted.threads && found.processor === wanted.processor
      ? undefined
      : `with ${found.threads} threads on ${found.processor}`,
});
