/** The results file of a judge: who judged, then one verdict a row. */
import { z } from 'zod';
import { resultsFile, type Results as ResultsOf } from '../../results-file';

const header = z.object({
  kind: z.literal('judge-run'),
  version: z.literal(1),
  /** A model of this machine, or what the user named. */
  judge: z.string(),
  /** Host of the user's endpoint; null where the judge ran on this machine. */
  endpoint: z.string().nullable(),
  seed: z.number(),
});

const row = z.object({
  /**
   * `pair`: a mode's text beside plain decoding's. `identical`: a text beside itself. `damaged`: a
   * text beside itself with its words shuffled. `single`: a mark from 1 to 10 for one text.
   */
  type: z.enum(['pair', 'identical', 'damaged', 'single']),
  /** Results file of bench/steps that the texts are from. */
  texts: z.string(),
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

export const ballotKey = ({
  type,
  texts,
  task,
  mode,
  first,
}: Pick<JudgeRow, 'type' | 'texts' | 'task' | 'mode' | 'first'>): string =>
  JSON.stringify([type, texts, task, mode, first]);

export const { parseResults, readResults, openResults } = resultsFile<JudgeHeader, JudgeRow>({
  bench: 'the judge',
  header,
  row,
  keyOf: ballotKey,
  madeOtherwise: (found, wanted) =>
    JSON.stringify(found) === JSON.stringify(wanted) ? undefined : `by ${found.judge}`,
});
