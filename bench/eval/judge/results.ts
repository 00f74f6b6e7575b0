/** The results file of a judge: who judged, then one verdict a row. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { modelVersionSchema } from '../../environment';
import { resultsFile, type Results as ResultsOf } from '../../results-file';

const header = z.object({
  kind: z.literal('judge-run'),
  version: z.literal(1),
  /** A model of this machine, or what the user named. */
  judge: z.string(),
  /** Host of the user's endpoint; null where the judge ran on this machine. */
  endpoint: z.string().nullable(),
  seed: z.number(),
  /** What the model is made of, where the judge ran on this machine; older files lack this. */
  model: modelVersionSchema.optional(),
});

const row = z.object({
  /**
   * `pair`: a mode's text beside plain decoding's. `identical`: a text beside itself. `damaged`: a
   * text beside itself with its words shuffled. `single`: a mark from 1 to 10 for one text.
   */
  type: z.enum(['pair', 'identical', 'damaged', 'single']),
  /** Results file of bench/steps that the texts are from. */
  texts: z.string(),
  /** Of question and texts, see ballots.ts: the file may be made again. Older rows lack this. */
  sha256: z.string().optional(),
  task: z.string(),
  mode: z.string(),
  /** Which text stood first; of a single one always `own`. */
  first: z.enum(['plain', 'own']),
  /** `A` is the text that stood first; null when the judge gave no verdict. */
  verdict: z.enum(['A', 'B', 'tie']).nullable(),
  mark: z.number().min(1).max(10).nullable(),
  /** What the judge said, its beginning. */
  said: z.string(),
  /** What the judgement took; older files lack this. */
  ms: z.number().optional(),
});

export type JudgeHeader = z.infer<typeof header>;
export type JudgeRow = z.infer<typeof row>;
export type JudgeResults = ResultsOf<JudgeHeader, JudgeRow>;

type Key = Pick<JudgeRow, 'type' | 'texts' | 'sha256' | 'task' | 'mode' | 'first'>;

export const ballotKey = ({ type, texts, sha256, task, mode, first }: Key): string =>
  JSON.stringify([type, texts, sha256, task, mode, first]);

export const { parseResults, readResults, openResults } = resultsFile<JudgeHeader, JudgeRow>({
  bench: 'the judge',
  header,
  row,
  keyOf: ballotKey,
  madeOtherwise: (found, wanted) => {
    if (isDeepStrictEqual(found, wanted)) return undefined;
    return found.judge === wanted.judge ? `by another ${found.judge}` : `by ${found.judge}`;
  },
});
