/**
 * Graphs prepared for one processor: optimised, their weights rewritten where it needs them otherwise. To
 * load one is to read what loading would compute each time.
 *
 * They stand beside the graph that they were made of, in `prepared/<graph>-<key>/`: graph, weights, and
 * a record with their hashes. The key names all that they depend on. Whatever is not as it should be
 * counts as not there: everything can be made again.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { errorCode } from './errors';
import { fileSize, freeBytes, hashFile, randomName, writeDurably } from './files';
import { acquireLock, type Lock, type LockOptions } from './lock';
import { hashed } from './record';

/** What computes. */
export interface Machine {
  /** ONNX Runtime's version. */
  readonly runtime: string;
  /** Everything that decides which kernels it chooses. */
  readonly processor: string;
}

/** Files that are to be written into `folder` under these names. */
export interface PreparedFiles {
  readonly folder: string;
  readonly graph: string;
  readonly weights: string;
}

const VERSION = 1;
const FOLDER = 'prepared';
const NAMES = { graph: 'graph.onnx', weights: 'weights.bin' } as const;
const RECORD = 'prepared.json';
const LOCK = '.lock';

/** Disk that is left free beside what is written, bytes. */
const SPARE_BYTES = 2 ** 31;
/** What is written, at most, as a multiple of the weights. */
const GROWTH = 1.1;

const recordSchema = z.object({ version: z.literal(VERSION), graph: hashed, weights: hashed });

/** The prepared graph's path, or undefined where there is none for this machine. */
export async function findPrepared(graph: string, machine: Machine): Promise<string | undefined> {
  const folder = await preparedFolder(graph, machine);
  return (await soundRecord(folder)) && join(folder, NAMES.graph);
}

/** `busy`: another process prepares something beside it. `noRoom`: the disk has no room for it. */
export type KeepOutcome = 'done' | 'busy' | 'noRoom';

export interface KeepOptions extends Pick<LockOptions, 'pollMs' | 'staleMs'> {
  /** Free space at a path, in bytes; for tests. */
  readonly room?: (path: string) => Promise<number>;
}

/**
 * Prepares a graph, unless it is prepared or another process is about to prepare something beside it.
 * What was prepared of earlier versions of the same graph, or for another processor, is removed.
 *
 * @param make writes both files
 */
export async function keepPrepared(
  graph: string,
  machine: Machine,
  make: (files: PreparedFiles) => Promise<void>,
  { room = freeBytes, ...options }: KeepOptions = {},
): Promise<KeepOutcome> {
  const folder = await preparedFolder(graph, machine);
  const parent = dirname(folder);
  const lock = await lockUnlessHeld(join(parent, LOCK), options);
  if (lock === undefined) return 'busy';
  try {
    if (await soundRecord(folder)) return 'done';
    await removeOthers(graph, parent);
    const needed = GROWTH * (await weightBytes(graph)) + SPARE_BYTES;
    if ((await room(parent)) < needed) return 'noRoom';
    const partial = join(parent, `${prefixOf(graph)}${randomName()}.partial`);
    await mkdir(partial);
    try {
      await make({ folder: partial, ...NAMES });
      const record = {
        version: VERSION,
        graph: await hashFile(join(partial, NAMES.graph)),
        weights: await hashFile(join(partial, NAMES.weights)),
      };
      await writeDurably(join(partial, RECORD), `${JSON.stringify(record, null, 2)}\n`);
      await lock.assertHeld();
      await rename(partial, folder);
      return 'done';
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  } finally {
    await lock.release();
  }
}

/**
 * Undefined where a living process holds it, which shows within seconds: nobody is to wait for what is
 * made for the next time. One that is not touched is taken over.
 */
async function lockUnlessHeld(path: string, options: LockOptions): Promise<Lock | undefined> {
  const held = new AbortController();
  try {
    const onTouch = () => held.abort();
    return await acquireLock(path, { ...options, signal: held.signal, onTouch });
  } catch (error) {
    if (held.signal.aborted) return undefined;
    throw error;
  }
}

/** Removes what was prepared of a graph: it does not load, or is damaged. */
export async function removePrepared(graph: string, machine: Machine): Promise<void> {
  await rm(await preparedFolder(graph, machine), { recursive: true, force: true });
}

/**
 * Hashes everything that is prepared in an installation's folder, and removes what has changed.
 *
 * @returns names of what was removed
 */
export async function verifyPrepared(directory: string, signal?: AbortSignal): Promise<string[]> {
  const parent = join(directory, FOLDER);
  if ((await changedIn(parent, signal)).length === 0) return [];
  // What is not whole may be in the making: with the lock held, nobody is making any of it.
  const lock = await acquireLock(join(parent, LOCK), { signal });
  try {
    const changed = await changedIn(parent, signal);
    for (const name of changed) await rm(join(parent, name), { recursive: true, force: true });
    return changed.map((name) => `${FOLDER}/${name}`);
  } finally {
    await lock.release();
  }
}

/** Names of what is not as its record says, or has none. */
async function changedIn(parent: string, signal: AbortSignal | undefined): Promise<string[]> {
  const changed: string[] = [];
  for (const name of await entriesOf(parent)) {
    if (name.startsWith(LOCK)) continue;
    if (!(await isUnchanged(join(parent, name), signal))) changed.push(name);
  }
  return changed;
}

/** Depends on graph, weights (by size and time: they are large) and machine. */
async function preparedFolder(graph: string, machine: Machine): Promise<string> {
  const hash = createHash('sha256').update(
    JSON.stringify([VERSION, machine.runtime, machine.processor, await weightFiles(graph)]),
  );
  hash.update(await readFile(graph));
  const key = hash.digest('hex').slice(0, 16);
  return join(dirname(graph), FOLDER, `${prefixOf(graph)}${key}`);
}

const prefixOf = (graph: string): string => `${basename(graph, '.onnx')}-`;

/** Name, size and time of every weight file beside a graph; a graph may read several. */
async function weightFiles(graph: string): Promise<[string, number, number][]> {
  const names = (await entriesOf(dirname(graph))).filter((name) => name.endsWith('.bin')).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(dirname(graph), name));
      return [name, size, mtimeMs] as [string, number, number];
    }),
  );
}

async function weightBytes(graph: string): Promise<number> {
  return (await weightFiles(graph)).reduce((sum, [, size]) => sum + size, 0);
}

async function readRecord(folder: string): Promise<z.infer<typeof recordSchema> | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(join(folder, RECORD), 'utf8')));
  } catch {
    return undefined;
  }
}

/** The record of a folder whose files have the sizes that it names. */
async function soundRecord(folder: string): Promise<z.infer<typeof recordSchema> | undefined> {
  const record = await readRecord(folder);
  if (record === undefined) return undefined;
  for (const part of ['graph', 'weights'] as const) {
    if ((await fileSize(join(folder, NAMES[part]))) !== record[part].bytes) return undefined;
  }
  return record;
}

async function isUnchanged(folder: string, signal: AbortSignal | undefined): Promise<boolean> {
  const record = await soundRecord(folder);
  if (record === undefined) return false;
  for (const part of ['graph', 'weights'] as const) {
    const { sha256 } = await hashFile(join(folder, NAMES[part]), { signal });
    if (sha256 !== record[part].sha256) return false;
  }
  return true;
}

/** Removes what stands under the graph's name; the lock is held, so nobody is making any of it. */
async function removeOthers(graph: string, parent: string): Promise<void> {
  const prefix = prefixOf(graph);
  // Keys and names of partial folders are hex digits: no other graph's name begins so.
  const own = new RegExp(`^[0-9a-f]+(\\.partial)?$`);
  for (const name of await entriesOf(parent)) {
    if (!name.startsWith(prefix) || !own.test(name.slice(prefix.length))) continue;
    await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
