/**
 * A results file: a JSONL header that says what was run, then one row a task, appended as soon as it
 * is known, so that a run that was stopped goes on where it stood.
 */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { machineOf, type Environment } from './environment';

/** What the files of one bench hold. */
export interface ResultsFormat<Header, Row> {
  /** What errors call the bench. */
  readonly bench: string;
  readonly header: z.ZodType<Header>;
  readonly row: z.ZodType<Row>;
  /** A later row takes the place of an earlier one with the same key. */
  readonly keyOf: (row: Row) => string;
  /** How another run's file was made, for the error; undefined when it is this run's. */
  readonly madeOtherwise: (found: Header, wanted: Header) => string | undefined;
}

export interface Results<Header, Row> {
  readonly header: Header;
  readonly rows: ReadonlyMap<string, Row>;
}

export interface ResultsFile<Header, Row> {
  /** @throws when a whole line is damaged; a half-written last line is ignored */
  readonly parseResults: (text: string, path: string) => Results<Header, Row>;
  readonly readResults: (path: string) => Promise<Results<Header, Row>>;
  /**
   * Opens a file for appending: writes the header of a new one, cuts a half-written line off an old
   * one. Resolves to the rows that are there already.
   *
   * @throws when the file is of another run
   */
  readonly openResults: (path: string, wanted: Header) => Promise<ReadonlyMap<string, Row>>;
}

export function resultsFile<Header, Row>(
  format: ResultsFormat<Header, Row>,
): ResultsFile<Header, Row> {
  function parseResults(text: string, path: string): Results<Header, Row> {
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    const [first, ...rest] = lines.filter((line) => line !== '');
    const header = format.header.safeParse(json(first ?? ''));
    if (!header.success) throw new Error(`${path} is not a results file of ${format.bench}.`);
    const rows = new Map<string, Row>();
    for (const [index, line] of rest.entries()) {
      const parsed = format.row.safeParse(json(line));
      if (!parsed.success) {
        throw new Error(`${path}, line ${index + 2} is damaged; delete that line and run again.`);
      }
      rows.set(format.keyOf(parsed.data), parsed.data);
    }
    return { header: header.data, rows };
  }

  async function openResults(path: string, wanted: Header): Promise<ReadonlyMap<string, Row>> {
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
    const how = format.madeOtherwise(found.header, wanted);
    if (how !== undefined) throw new Error(`${path} was made ${how}; choose another --out.`);
    return found.rows;
  }

  return {
    parseResults,
    openResults,
    readResults: async (path) => parseResults(await readFile(path, 'utf8'), path),
  };
}

interface RunOnMachine {
  /** Older files lack this. */
  readonly environment?: Environment | undefined;
}

/**
 * `madeOtherwise` of headers all of whose fields rows of one file have in common, but for the environment: of that
 * they share the machine and the runtime, for a commit that changes a document need not end a run.
 */
export function differingSetUp<Header extends RunOnMachine>(
  found: Header,
  wanted: Header,
): string | undefined {
  const [one, other] = [setUpOf(found), setUpOf(wanted)];
  const names = Object.keys({ ...other, ...one });
  const name = names.find((each) => !isDeepStrictEqual(one[each], other[each]));
  if (name === undefined) return undefined;
  const told = (value: unknown) => JSON.stringify(value) ?? 'none';
  return `with ${name} ${told(one[name])}, not ${told(other[name])}`;
}

function setUpOf({ environment, ...run }: RunOnMachine): Readonly<Record<string, unknown>> {
  return { ...run, machine: environment && machineOf(environment) };
}

export async function appendRow(path: string, row: object): Promise<void> {
  await appendFile(path, `${JSON.stringify(row)}\n`);
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
