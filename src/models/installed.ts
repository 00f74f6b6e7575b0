/**
 * Installed models: finding, verifying, listing and removing them. Making them is install.ts's.
 */
import { realpath, rename, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { CatalogEntry } from './catalog';
import { findModel, readCatalog } from './catalog';
import { errorCode, explainSystemError, ModelError } from './errors';
import { fileSize, hashFile, randomName, writeAtomically } from './files';
import { acquireLock } from './lock';
import type { Precision } from './paths';
import {
  headsFileNames,
  installedDirectory,
  modelDirectory,
  precisions,
  suiteTable,
} from './paths';
import type { HeadsDescription } from './plan';
import type { ProgressListener } from './progress';
import type { HashedFile, HeadsRecord, InstallRecord } from './record';
import {
  formatRecord,
  graphName,
  readRecord,
  recordName,
  tokenizerName,
} from './record';
import type { SuiteHeads } from './suite';
import { readSuiteHeads, readSuiteModel } from './suite';

/** A complete installation. Paths are absolute when the home was. */
export interface InstalledModel {
  readonly id: string;
  readonly precision: Precision;
  readonly directory: string;
  readonly graph: string;
  readonly weights: string;
  readonly tokenizer: string;
  readonly heads: InstalledHeads;
  /** The suite's co-occurrence table; its hash is checked when it is used. */
  readonly table?: { readonly file: string; readonly sha256: string };
  readonly entry: CatalogEntry;
}

/** Token heads of an installation. Without any the model decodes plainly. */
export interface InstalledHeads {
  /**
   * `none`: the suite has none for this model. `outdated`: it has some that are not installed; install
   * the model again.
   */
  readonly state: 'none' | 'outdated' | 'ready';
  /** Those that are usable, in the catalogue's order. */
  readonly sets: readonly HeadsSet[];
}

/** Whether a model is installed with all of the suite's heads. */
export const isWhole = (found: InstalledModel | undefined): found is InstalledModel =>
  found !== undefined && found.heads.state !== 'outdated';

export interface HeadsSet {
  readonly name: string;
  readonly graph: string;
  readonly weights: string;
  readonly description: HeadsDescription;
}

export interface ModelPlace {
  readonly suite: string;
  readonly home: string;
  readonly id: string;
  readonly precision: Precision;
}

/** The file that guards a model's folder; see lock.ts. */
export function lockPath(home: string, id: string): string {
  return join(modelDirectory(home, id), '.lock');
}

/** A place, and how long whoever looks there may wait for the lock. */
type AwaitedPlace = ModelPlace & { readonly signal?: AbortSignal | undefined };

/**
 * The installation of a model, or undefined when there is none that fits the suite.
 *
 * Cheap: the record must be sound, made of the catalogue's source and the suite's plan, and the
 * files' sizes must be the recorded ones. A graph that changed while its plan did not is copied
 * anew; only that needs the lock. File contents are not hashed; `verifyInstalled` does that. Heads
 * that do not fit the suite leave the model usable; see `InstalledHeads`.
 *
 * @throws {ModelError} when the catalogue does not know the model, the suite lacks its heads, or a
 *   changed graph cannot be written
 * @throws the signal's reason when aborted while another process holds the lock
 */
export async function findInstalled(place: AwaitedPlace): Promise<InstalledModel | undefined> {
  return await findEntry(place, findModel(await readCatalog(place.suite), place.id));
}

/** The same for whoever holds the model's lock. System errors are the caller's to explain. */
export async function findInstalledLocked(place: ModelPlace): Promise<InstalledModel | undefined> {
  return await findAndRefresh(place, findModel(await readCatalog(place.suite), place.id));
}

/** All installations that fit the suite, in the catalogue's order. */
export async function listInstalled(place: {
  readonly suite: string;
  readonly home: string;
}): Promise<InstalledModel[]> {
  const { models } = await readCatalog(place.suite);
  const wanted = models.flatMap((entry) =>
    precisions.map((precision) => findEntry({ ...place, id: entry.id, precision }, entry)),
  );
  return (await Promise.all(wanted)).filter((found) => found !== undefined);
}

async function findEntry(
  place: AwaitedPlace,
  entry: CatalogEntry,
): Promise<InstalledModel | undefined> {
  const found = await lookUp(place, entry);
  if (found === undefined) return undefined;
  const { record, heads, changed } = found;
  if (changed.length === 0) {
    return await describeInstalled(place, entry, record.weights.file, heads);
  }
  try {
    const lock = await acquireLock(lockPath(place.home, place.id), { signal: place.signal });
    try {
      return await findAndRefresh(place, entry);
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw explainSystemError(error, `bringing ${entry.name} up to date`);
  }
}

/** Copies the graphs that changed in the suite. The lock is held: nobody else writes meanwhile. */
async function findAndRefresh(
  place: ModelPlace,
  entry: CatalogEntry,
): Promise<InstalledModel | undefined> {
  const found = await lookUp(place, entry);
  if (found === undefined) return undefined;
  const { record, heads, changed } = found;
  const directory = installedDirectory(place.home, place.id, place.precision);
  for (const { file, content } of changed) await writeAtomically(join(directory, file), content);
  if (changed.length > 0) {
    await writeAtomically(join(directory, recordName), formatRecord(record));
  }
  return await describeInstalled(place, entry, record.weights.file, heads);
}

/** An installation as it should be, and what has to be written to make it so. */
interface Found {
  readonly record: InstallRecord;
  readonly heads: { readonly suite: readonly SuiteHeads[]; readonly found: readonly HeadsRecord[] };
  /** Graphs that changed in the suite. */
  readonly changed: readonly { readonly file: string; readonly content: Buffer }[];
}

/** Reads only. */
async function lookUp(
  { suite, home, id, precision }: ModelPlace,
  entry: CatalogEntry,
): Promise<Found | undefined> {
  const directory = installedDirectory(home, id, precision);
  const record = await readRecord(directory, id, precision);
  if (record?.source.sha256 !== entry.source.sha256) return undefined;
  const suiteModel = await readSuiteModel(suite, id, precision);
  if (suiteModel?.plan.sha256 !== record.plan.sha256) return undefined;

  for (const { file, bytes } of [record.weights, record.tokenizer]) {
    if ((await fileSize(join(directory, file))) !== bytes) return undefined;
  }
  const graph = await currentGraph(directory, record.graph, suiteModel.graph);
  if (graph === undefined) return undefined;
  const changed: { file: string; content: Buffer }[] = [];
  if (graph !== record.graph) changed.push({ file: graph.file, content: suiteModel.graph.content });
  const found: HeadsRecord[] = [];
  const suiteHeads = await readSuiteHeads(suite, entry, precision);
  for (const own of suiteHeads) {
    const recorded = record.heads.find(({ name }) => name === own.name);
    const current = await currentHeads(directory, recorded, own);
    if (current === undefined) continue;
    found.push(current);
    if (current !== recorded) changed.push({ file: current.graph.file, content: own.graph.content });
  }
  const others = record.heads.filter((each) => !found.some(({ name }) => name === each.name));
  return {
    record: { ...record, graph, heads: [...found, ...others] },
    heads: { suite: suiteHeads, found },
    changed,
  };
}

/** The suite's graph where it changed, else the recorded one; undefined when that is damaged. */
async function currentGraph(
  directory: string,
  recorded: HashedFile,
  { content, sha256 }: { content: Buffer; sha256: string },
): Promise<HashedFile | undefined> {
  const { file } = recorded;
  if (recorded.sha256 !== sha256) return { file, bytes: content.length, sha256 };
  return (await fileSize(join(directory, file))) === recorded.bytes ? recorded : undefined;
}

/** The record of heads that fit the suite's; undefined when there are none. */
async function currentHeads(
  directory: string,
  recorded: HeadsRecord | undefined,
  suite: SuiteHeads,
): Promise<HeadsRecord | undefined> {
  if (recorded?.plan.sha256 !== suite.plan.sha256) return undefined;
  const names = headsFileNames(suite.name, suite.parsed.precision);
  const { weights } = recorded;
  if (recorded.graph.file !== names.graph || weights.file !== names.weights) return undefined;
  if ((await fileSize(join(directory, weights.file))) !== weights.bytes) return undefined;
  const graph = await currentGraph(directory, recorded.graph, suite.graph);
  if (graph === undefined) return undefined;
  return graph === recorded.graph ? recorded : { ...recorded, graph };
}

export async function describeInstalled(
  { suite, home, id, precision }: ModelPlace,
  entry: CatalogEntry,
  weights: string,
  heads: { suite: readonly SuiteHeads[]; found: readonly HeadsRecord[] },
): Promise<InstalledModel> {
  const directory = installedDirectory(home, id, precision);
  const table = await findTable(suite, entry);
  return {
    id,
    precision,
    directory,
    graph: join(directory, graphName),
    weights: join(directory, weights),
    tokenizer: join(directory, tokenizerName),
    heads: describeHeads(directory, heads),
    ...(table && { table }),
    entry,
  };
}

function describeHeads(
  directory: string,
  { suite, found }: { suite: readonly SuiteHeads[]; found: readonly HeadsRecord[] },
): InstalledHeads {
  const sets = suite.flatMap(({ name, parsed }): HeadsSet[] => {
    const record = found.find((each) => each.name === name);
    if (record === undefined) return [];
    const graph = join(directory, record.graph.file);
    const weights = join(directory, record.weights.file);
    return [{ name, graph, weights, description: parsed.heads }];
  });
  if (suite.length === 0) return { state: 'none', sets };
  return { state: sets.length === suite.length ? 'ready' : 'outdated', sets };
}

/** The table that the catalogue names, where the suite has it. */
async function findTable(
  suite: string,
  { id, cooccurrence }: CatalogEntry,
): Promise<InstalledModel['table']> {
  if (cooccurrence === undefined) return undefined;
  const file = suiteTable(suite, id);
  if ((await fileSize(file)) !== cooccurrence.bytes) {
    throw new ModelError(
      `The suite lacks the co-occurrence table of ${id}, or has another one: ${file} should have ${cooccurrence.bytes} bytes. Reinstall the extension.`,
    );
  }
  return { file, sha256: cooccurrence.sha256 };
}

/**
 * Hashes every file of an installation and compares with its record.
 *
 * @throws {ModelError} naming the files that are missing or changed
 */
export async function verifyInstalled(
  model: Pick<InstalledModel, 'directory' | 'id' | 'precision'>,
  options: { signal?: AbortSignal; onProgress?: ProgressListener } = {},
): Promise<void> {
  const { directory, id, precision } = model;
  const again = 'Remove the model and install it again.';
  const record = await readRecord(directory, id, precision);
  if (record === undefined) {
    throw new ModelError(`The record of ${id} (${precision}) is missing or damaged. ${again}`);
  }
  const problems = await findProblems(directory, record, options);
  if (problems.length === 0) return;
  throw new ModelError(`${id} (${precision}) is damaged: ${problems.join(', ')}. ${again}`);
}

async function findProblems(
  directory: string,
  record: InstallRecord,
  options: { signal?: AbortSignal; onProgress?: ProgressListener },
): Promise<string[]> {
  const { heads } = record;
  const ofHeads = heads.flatMap(({ graph, weights }) => [graph, weights]);
  const files = [record.graph, record.weights, record.tokenizer, ...ofHeads];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const problems: string[] = [];
  let before = 0;
  for (const { file, bytes, sha256 } of files) {
    try {
      const found = await hashFile(join(directory, file), {
        signal: options.signal,
        onProgress: (done) =>
          options.onProgress?.({ phase: 'check', source: file, done: before + done, total }),
      });
      if (found.bytes !== bytes || found.sha256 !== sha256) problems.push(`${file} has changed`);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      problems.push(`${file} is missing`);
    }
    before += bytes;
  }
  return problems;
}

/**
 * Removes one installation (sound or not); returns whether there was one. Deletes nothing outside
 * home/models, wherever links may point, and waits for an installation under way.
 */
export async function removeInstalled(
  place: Omit<ModelPlace, 'suite'> & { readonly signal?: AbortSignal },
): Promise<boolean> {
  const { home, id, precision, signal } = place;
  const parent = modelDirectory(home, id);
  if (!(await isInside(join(home, 'models'), parent))) return false;
  const lock = await acquireLock(lockPath(home, id), { signal });
  try {
    const retired = join(parent, retiredName(precision));
    await rename(installedDirectory(home, id, precision), retired);
    await rm(retired, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw explainSystemError(error, `removing ${id}`);
  } finally {
    await lock.release();
  }
}

/** Name for an installation on its way out; install.ts removes what a kill leaves of it. */
export function retiredName(precision: Precision): string {
  return `.${precision}-${process.pid}-${randomName()}.retired`;
}

/**
 * Whether `folder` exists and really lies in `root`.
 *
 * @throws {ModelError} when it is a link to somewhere else
 */
async function isInside(root: string, folder: string): Promise<boolean> {
  let real: { root: string; folder: string };
  try {
    real = { root: await realpath(root), folder: await realpath(folder) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  const expected = relative(resolve(root), resolve(folder));
  if (relative(real.root, real.folder) === expected) return true;
  throw new ModelError(
    `${folder} is a link to ${real.folder}; nothing outside ${root} is removed. Remove it by hand.`,
  );
}
