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
import { installedDirectory, modelDirectory, precisions } from './paths';
import type { HeadsDescription } from './plan';
import type { ProgressListener } from './progress';
import type { HashedFile, HeadsRecord, InstallRecord } from './record';
import {
  formatRecord,
  graphName,
  headsGraphName,
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
  readonly entry: CatalogEntry;
}

/** Token heads of an installation. Without them the model decodes plainly. */
export type InstalledHeads =
  /** The suite has none for this model. */
  | { readonly state: 'none' }
  /** The suite has some, but these are not installed, or others are: install the model again. */
  | { readonly state: 'outdated' }
  | {
      readonly state: 'ready';
      readonly name: string;
      readonly graph: string;
      readonly weights: string;
      readonly description: HeadsDescription;
    };

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

/**
 * The installation of a model, or undefined when there is none that fits the suite.
 *
 * Cheap: the record must be sound, made of the catalogue's source and the suite's plan, and the
 * files' sizes must be the recorded ones. A graph that changed while its plan did not is copied
 * anew. File contents are not hashed; `verifyInstalled` does that. Heads that do not fit the suite
 * leave the model usable; see `InstalledHeads`.
 *
 * @throws {ModelError} when the catalogue does not know the model, or the suite lacks its heads
 */
export async function findInstalled(place: ModelPlace): Promise<InstalledModel | undefined> {
  return await findEntry(place, findModel(await readCatalog(place.suite), place.id));
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
  { suite, home, id, precision }: ModelPlace,
  entry: CatalogEntry,
): Promise<InstalledModel | undefined> {
  const directory = installedDirectory(home, id, precision);
  const record = await readRecord(directory, id, precision);
  if (record?.source.sha256 !== entry.source.sha256) return undefined;
  const suiteModel = await readSuiteModel(suite, id, precision);
  if (suiteModel?.plan.sha256 !== record.plan.sha256) return undefined;

  for (const { file, bytes } of [record.weights, record.tokenizer]) {
    if ((await fileSize(join(directory, file))) !== bytes) return undefined;
  }
  const graph = await refreshGraph(directory, record.graph, suiteModel.graph);
  if (graph === undefined) return undefined;
  let current: InstallRecord = { ...record, graph };
  const suiteHeads =
    entry.heads === undefined ? undefined : await readSuiteHeads(suite, id, entry.heads, precision);
  const heads = suiteHeads && (await refreshHeads(directory, record.heads, suiteHeads));
  if (heads) current = { ...current, heads };
  if (graph !== record.graph || (heads && heads !== record.heads)) {
    await writeAtomically(join(directory, recordName), formatRecord(current));
  }
  return describeInstalled(directory, entry, precision, record.weights.file, {
    suite: suiteHeads,
    found: heads,
  });
}

/** Copies a graph that changed in the suite; undefined when one that did not is damaged. */
async function refreshGraph(
  directory: string,
  recorded: HashedFile,
  { content, sha256 }: { content: Buffer; sha256: string },
): Promise<HashedFile | undefined> {
  const path = join(directory, recorded.file);
  if (recorded.sha256 === sha256) {
    return (await fileSize(path)) === recorded.bytes ? recorded : undefined;
  }
  await writeAtomically(path, content);
  return { file: recorded.file, bytes: content.length, sha256 };
}

/** The record of heads that fit the suite's; undefined when there are none. */
async function refreshHeads(
  directory: string,
  recorded: HeadsRecord | undefined,
  suite: SuiteHeads,
): Promise<HeadsRecord | undefined> {
  if (recorded?.name !== suite.name || recorded.plan.sha256 !== suite.plan.sha256) return undefined;
  const { weights } = recorded;
  if ((await fileSize(join(directory, weights.file))) !== weights.bytes) return undefined;
  const graph = await refreshGraph(directory, recorded.graph, suite.graph);
  if (graph === undefined) return undefined;
  return graph === recorded.graph ? recorded : { ...recorded, graph };
}

export function describeInstalled(
  directory: string,
  entry: CatalogEntry,
  precision: Precision,
  weights: string,
  heads: { suite: SuiteHeads | undefined; found: HeadsRecord | undefined },
): InstalledModel {
  return {
    id: entry.id,
    precision,
    directory,
    graph: join(directory, graphName),
    weights: join(directory, weights),
    tokenizer: join(directory, tokenizerName),
    heads: describeHeads(directory, heads),
    entry,
  };
}

function describeHeads(
  directory: string,
  { suite, found }: { suite: SuiteHeads | undefined; found: HeadsRecord | undefined },
): InstalledHeads {
  if (suite === undefined) return { state: 'none' };
  if (found === undefined) return { state: 'outdated' };
  return {
    state: 'ready',
    name: found.name,
    graph: join(directory, headsGraphName),
    weights: join(directory, found.weights.file),
    description: suite.parsed.heads,
  };
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
  const files = [record.graph, record.weights, record.tokenizer];
  if (heads !== undefined) files.push(heads.graph, heads.weights);
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
