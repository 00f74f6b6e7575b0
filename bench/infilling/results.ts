/**
 * The results file: a JSONL header that says what was run, then one row a task, appended as soon as
 * it is known, so that a run that was stopped goes on where it stood.
 */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import { z } from 'zod';

const header = z.object({
  kind: z.literal('infilling-run'),
  version: z.literal(1),
  /** Name of the task file. */
  tasks: z.string(),
  seed: z.number(),
  order: z.string(),
  maxTokens: z.number(),
  /** The command, the completions file, or `canonical`. */
  source: z.string(),
});

const row = z.object({
  id: z.string(),
  /** `error` when there was no completion; such tasks are asked again by the next run. */
  verdict: z.enum(['passed', 'failed', 'timeout', 'error']),
  detail: z.string(),
  /** The completion as it was given. */
  text: z.string().optional(),
  /** The part of it that was tested. */
  line: z.string().optional(),
  exact: z.boolean(),
  tokens: z.number().optional(),
  steps: z.number().optional(),
  prefillMs: z.number().optional(),
  decodeMs: z.number().optional(),
  stopReason: z.string().optional(),
});

export type RunHeader = z.infer<typeof header>;
export type ResultRow = z.infer<typeof row>;

export interface Results {
  readonly header: RunHeader;
  /** The last row of each task, by id. */
  readonly rows: ReadonlyMap<string, ResultRow>;
}

/** @throws when a whole line is damaged; a half-written last line is ignored */
export function parseResults(text: string, path: string): Results {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  const [first, ...rest] = lines.filter((line) => line !== '');
  const head = first === undefined ? undefined : header.safeParse(json(first));
  if (!head?.success) throw new Error(`${path} is not a results file of this harness.`);
  const rows = new Map<string, ResultRow>();
  for (const [index, line] of rest.entries()) {
    const parsed = row.safeParse(json(line));
    if (!parsed.success) {
      throw new Error(`${path}, line ${index + 2} is damaged; delete that line and run again.`);
    }
    rows.set(parsed.data.id, parsed.data);
  }
  return { header: head.data, rows };
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export async function readResults(path: string): Promise<Results> {
  return parseResults(await readFile(path, 'utf8'), path);
}

/**
 * Opens a results file for appending: writes the header of a new one, cuts a half-written line off
 * an old one.
 *
 * @returns the rows that are there already
 * @throws when the file is of another run
 */
export async function openResults(
  path: string,
  wanted: RunHeader,
): Promise<ReadonlyMap<string, ResultRow>> {
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
    return new Map();
  }
  const found = parseResults(raw.toString('utf8', 0, whole), path);
  for (const key of ['tasks', 'seed', 'order', 'maxTokens', 'source'] as const) {
    if (found.header[key] !== wanted[key]) {
      throw new Error(
        `${path} was made with ${key} ${JSON.stringify(found.header[key])}, ` +
          `not ${JSON.stringify(wanted[key])}; choose another --out.`,
      );
    }
  }
  return found.rows;
}

export async function appendRow(path: string, value: ResultRow): Promise<void> {
  await appendFile(path, `${JSON.stringify(value)}\n`);
}
