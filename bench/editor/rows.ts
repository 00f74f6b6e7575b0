/** What a results file of this bench holds. */
import { z } from 'zod';
import { resultsFile } from '../results-file';

const number = z.number();

const header = z.strictObject({
  bench: z.literal('editor-latency'),
  model: z.string(),
  /** Of what is measured; another one is another file's. */
  version: z.string(),
  processor: z.string(),
  cores: number,
});

const row = z.strictObject({
  visit: z.string(),
  /** Place among the visit's keys. */
  index: z.int().optional(),
  /** How busy the machine was when the visit began, 0 to 1. */
  busy: number.optional(),
  kind: z.enum(['newFile', 'jump', 'warm', 'nextLine']),
  key: z.string(),
  /** From the opening or jump to the key, ms. */
  pauseMs: number.optional(),
  /** From the key to the first line as it stayed, ms; absent when nothing was shown. */
  firstLineMs: number.optional(),
  /** The same for all lines. */
  allMs: number.optional(),
  lines: z.int(),
  /** From the key to the request: VS Code's share before it, ms. */
  askedAfterMs: number.optional(),
  /** Absent when what was shown was known without asking. */
  asked: z
    .strictObject({
      ...{ began: number, latencyMs: number, prefillMs: number, decodeMs: number },
      ...{ promptTokens: number, reusedTokens: number, tokens: number, steps: number },
      stopReason: z.string(),
    })
    .optional(),
});

export type Header = z.infer<typeof header>;
export type KeyRow = z.infer<typeof row>;

export const { openResults, readResults } = resultsFile<Header, KeyRow>({
  bench: 'editor-latency',
  header,
  row,
  keyOf: ({ visit, index }) => `${visit} ${index ?? -1}`,
  madeOtherwise: (found, wanted) =>
    found.version === wanted.version && found.model === wanted.model
      ? undefined
      : `with ${found.model} at ${found.version}`,
});
