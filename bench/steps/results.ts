/**
 * The results file: a JSONL header that says what was run, then one row a task with what every mode
 * made of it, appended as soon as it is known, so that a run that was stopped goes on where it stood.
 */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import { z } from 'zod';
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

export interface Results {
  readonly header: RunHeader;
  /** By kind and id. */
  readonly rows: ReadonlyMap<string, ResultRow>;
}

export const keyOf = ({ kind, id }: Pick<ResultRow, 'kind' | 'id'>): string => `${kind} ${id}`;

/** @throws when a whole line is damaged; a half-written last line is ignored */
export function parseResults(text: string, path: string): Results {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  const [first, ...rest] = lines.filter((line) => line !== '');
  const head = header.safeParse(json(first ?? ''));
  if (!head.success) throw new Error(`${path} is not a results file of this bench.`);
  const rows = new Map<string, ResultRow>();
  for (const [index, line] of rest.entries()) {
    const parsed = row.safeParse(json(line));
    if (!parsed.success) {
      throw new Error(`${path}, line ${index + 2} is damaged; delete that line and run again.`);
    }
    rows.set(keyOf(parsed.data), parsed.data);
  }
  return { header: head.data, rows };
}

export async function readResults(path: string): Promise<Results> {
  return parseResults(await readFile(path, 'utf8'), path);
}

/**
 * Opens a results file for appending: writes the header of a new one, cuts a half-written line off an
 * old one.
 *
 * @returns keys of the rows that are there already
 * @throws when the file is of another run
 */
export async function openResults(path: string, wanted: RunHeader): Promise<Set<string>> {
  let raw: Buffer;
  try {
    raw = await readFile(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    raw = Buffer.alloc(0);
  }
  const whole = raw.lastIndexOf('\n') + 1;
  if (whole < raw.length) await truncate(path, whole);
  if (whole === 0) {
    await appendFile(path, `${JSON.stringify(wanted)}\n`);
    return new Set();
  }
  const found = parseResults(raw.toString('utf8', 0, whole), path);
  if (JSON.stringify(found.header) !== JSON.stringify(wanted)) {
    throw new Error(
      `${path} was made by another run, ${JSON.stringify(found.header)}; choose another --out.`,
    );
  }
  return new Set(found.rows.keys());
}

export async function appendRow(path: string, value: ResultRow): Promise<void> {
  await appendFile(path, `${JSON.stringify(value)}\n`);
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
