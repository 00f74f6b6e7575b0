/**
 * Installs a model: source file → weight file, tokenizer and graph, in one folder with a record; and
 * the suite's token heads beside them, see install-heads.ts.
 *
 * Everything is built in a hidden folder beside the final one and appears under its real name in
 * one rename, record included. Whatever happens before that leaves nothing that looks installed,
 * and keeps what was downloaded.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogEntry } from './catalog';
import { findModel, readCatalog } from './catalog';
import { errorCode, explainSystemError, ModelError } from './errors';
import { formatBytes, freeBytes, hashFile, randomName, writeDurably } from './files';
import { openGguf } from './gguf';
import type { HeadsJob } from './install-heads';
import { headsBytes, removeOldHeads, renewHeads, writeHeadsWeights } from './install-heads';
import type { InstalledModel, ModelPlace } from './installed';
import {
  describeInstalled,
  findInstalled,
  findInstalledLocked,
  isWhole,
  lockPath,
  retiredName,
} from './installed';
import { acquireLock } from './lock';
import type { Precision } from './paths';
import { installedDirectory, modelDirectory } from './paths';
import type { WeightPlan } from './plan';
import { parsePlan } from './plan';
import type { ProgressListener } from './progress';
import { throttled } from './progress';
import { formatRecord, graphName, readRecord } from './record';
import { recordName, tokenizerName } from './record';
import type { HashedFile, HeadsRecord, InstallRecord } from './record';
import type { ModelFile, NetworkOptions } from './source';
import { missingBytes, obtainModelFile } from './source';
import type { SuiteHeads, SuiteModel } from './suite';
import { readSuiteHeads, requireSuiteModel, sha256 } from './suite';
import { tokenizerFromGguf } from './tokenizer-json';
import { writeWeights } from './weights';

export type { InstallProgress } from './progress';

export interface InstallOptions extends ModelPlace {
  /** The GGUF file on this machine, instead of a download. Used in place, never changed. */
  readonly from?: string | undefined;
  /** Leaves what was downloaded, for another precision of the same model. */
  readonly keepDownload?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** How the network is reached; for tests. */
  readonly network?: NetworkOptions;
  /** Free space at a path, in bytes; for tests. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

/** What one installation works on. */
interface Job {
  readonly options: InstallOptions;
  readonly entry: CatalogEntry;
  readonly suite: SuiteModel;
  readonly plan: WeightPlan;
  /** All heads that the catalogue names. */
  readonly heads: readonly SuiteHeads[];
  readonly report: ProgressListener;
}

/** Room for the tokenizer, the record and a wheel's surplus. */
const spareBytes = 64 * 2 ** 20;

/**
 * Installs a model unless it is installed already, and returns it. A model whose heads alone are
 * missing or out of date gets those.
 *
 * When another process is installing the same model, waits and takes over its result.
 *
 * @throws {ModelError} when it cannot be done; the message says what to do
 * @throws the signal's reason when aborted; a download is kept and resumed the next time
 */
export async function installModel(options: InstallOptions): Promise<InstalledModel> {
  const job = await jobOf(options);
  const found = await findInstalled(options);
  if (isWhole(found)) return found;
  return await complete(job, (there, assertHeld) =>
    there ? addHeads(job, there, assertHeld) : installLocked(job, assertHeld),
  );
}

/**
 * Gives an installed model the suite's present heads, as after an update: from its trunk, without a download.
 *
 * @returns undefined when it is not installed any more
 * @throws {ModelError} when it cannot be done
 */
export async function bringHeadsUpToDate(place: ModelPlace): Promise<InstalledModel | undefined> {
  const job = await jobOf(place);
  return await complete(job, async (there, assertHeld) =>
    there ? await addHeads(job, there, assertHeld) : undefined,
  );
}

/** Reads what the suite has of a model. */
async function jobOf(options: InstallOptions): Promise<Job> {
  const { suite, id, precision } = options;
  const entry = findModel(await readCatalog(suite), id);
  const suiteModel = await requireSuiteModel(suite, id, precision);
  const plan = parsePlan(suiteModel.plan.text, suiteModel.plan.path);
  if (plan.model !== id || plan.precision !== precision || plan.heads !== undefined) {
    throw new ModelError(
      `${suiteModel.plan.path} is the plan of ${plan.model} (${plan.precision}), not of ${id} (${precision}).`,
    );
  }
  const heads = await readSuiteHeads(suite, entry, precision);
  const report = throttled(options.onProgress ?? (() => undefined));
  return { options, entry, suite: suiteModel, plan, heads, report };
}

/** Has `work` add what a model lacks, unless it is whole by now, while nobody else changes it. */
async function complete<T>(
  { options, entry, report }: Job,
  work: (there: InstalledModel | undefined, assertHeld: () => Promise<void>) => Promise<T>,
): Promise<T | InstalledModel> {
  const { home, id, signal } = options;
  try {
    const lock = await acquireLock(lockPath(home, id), {
      signal,
      onWait: (owner) => report({ phase: 'check', source: `waiting for ${owner}`, done: 0, total: 0 }),
    });
    try {
      const found = await findInstalledLocked(options);
      if (isWhole(found)) return found;
      await removeLeftovers(modelDirectory(home, id));
      return await work(found, () => lock.assertHeld());
    } finally {
      await lock.release();
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw explainSystemError(error, `installing ${entry.name}`);
  }
}

/**
 * Installs a model in several precisions, all from one download.
 *
 * @throws as `installModel` does
 */
export async function installPrecisions(
  options: Omit<InstallOptions, 'precision' | 'keepDownload'>,
  precisions: readonly Precision[],
): Promise<void> {
  const wanting: { precision: Precision; missing: boolean }[] = [];
  for (const precision of precisions) {
    const found = await findInstalled({ ...options, precision });
    if (!isWhole(found)) wanting.push({ precision, missing: found === undefined });
  }
  for (const [i, { precision }] of wanting.entries()) {
    // What lacks its heads alone needs no download.
    const keepDownload = wanting.slice(i + 1).some(({ missing }) => missing);
    await installModel({ ...options, precision, keepDownload });
  }
}

async function installLocked(job: Job, assertHeld: () => Promise<void>): Promise<InstalledModel> {
  const { options, entry, plan, suite } = job;
  const { home, id, precision, from, signal, network } = options;
  const output = plan.bytes + suite.graph.content.length + headsBytes(job.heads);
  await requireSpace(job, output + (from === undefined ? await missingBytes(home, entry) : 0));
  const file = await obtainModelFile({ home, entry, from, signal, network, onProgress: job.report });
  await requireSpace(job, output);

  const parent = modelDirectory(home, id);
  const partial = join(parent, `.${precision}-${process.pid}-${randomName()}.partial`);
  await mkdir(partial);
  let record: InstallRecord;
  try {
    record = await build(job, file, partial);
    signal?.throwIfAborted();
    await assertHeld();
    await moveIntoPlace(partial, options);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  if (options.keepDownload !== true) await file.discard();
  const heads = { suite: job.heads, found: record.heads };
  return await describeInstalled(options, entry, plan.weights, heads);
}

/** Gives a model that is installed those of the suite's heads that it lacks. */
async function addHeads(
  job: Job,
  model: InstalledModel,
  assertHeld: () => Promise<void>,
): Promise<InstalledModel> {
  const { options } = job;
  let record = await readRecord(model.directory, model.id, model.precision);
  if (record === undefined) return model;
  const ready = new Set(model.heads.sets.map(({ name }) => name));
  const missing = job.heads.filter(({ name }) => !ready.has(name));
  await requireSpace(job, headsBytes(missing));
  for (const heads of missing) {
    const own = headsJob(job, heads, model.weights);
    record = await renewHeads(own, model.directory, record, assertHeld);
  }
  await removeOldHeads(model.directory, record);
  return (await findInstalledLocked(options)) ?? model;
}

function headsJob(job: Job, heads: SuiteHeads, trunkWeights: string): HeadsJob {
  const { plan: trunk, report, options } = job;
  return { heads, trunk, trunkWeights, signal: options.signal, report };
}

/** Fills `directory` with a whole installation, the record last. */
async function build(job: Job, file: ModelFile, directory: string): Promise<InstallRecord> {
  const { options, entry, plan, suite, report } = job;
  const { signal } = options;
  const weightsPath = join(directory, plan.weights);
  const gguf = await openGguf(file.path);
  let tokenizer: string;
  try {
    tokenizer = JSON.stringify(tokenizerFromGguf(gguf.metadata, entry.tokenizer.pretokenizer));
    await writeWeights({ gguf }, plan, weightsPath, {
      signal,
      onProgress: (done, total) => report({ phase: 'convert', done, total }),
    });
  } finally {
    await gguf.close();
  }
  await writeDurably(join(directory, graphName), suite.graph.content);
  await writeDurably(join(directory, tokenizerName), tokenizer);
  const weights = await hashFile(weightsPath, {
    signal,
    onProgress: (done) => report({ phase: 'finish', done, total: plan.bytes }),
  });

  const heads: HeadsRecord[] = [];
  for (const each of job.heads) {
    const own = headsJob(job, each, weightsPath);
    const written = await writeHeadsWeights(own, join(directory, each.parsed.weights));
    await writeDurably(join(directory, written.graph.file), each.graph.content);
    heads.push(written);
  }

  const record: InstallRecord = {
    version: 3,
    id: entry.id,
    precision: options.precision,
    source: { bytes: entry.source.bytes, sha256: entry.source.sha256 },
    plan: { bytes: Buffer.byteLength(suite.plan.text), sha256: suite.plan.sha256 },
    graph: describeContent(graphName, suite.graph.content),
    weights: { file: plan.weights, ...weights },
    tokenizer: describeContent(tokenizerName, Buffer.from(tokenizer)),
    heads,
  };
  await writeDurably(join(directory, recordName), formatRecord(record));
  await syncDirectory(directory);
  return record;
}

function describeContent(file: string, content: Buffer): HashedFile {
  return { file, bytes: content.length, sha256: sha256(content) };
}

/** Gives the finished folder its name; an installation that stood there goes first. */
async function moveIntoPlace(partial: string, options: InstallOptions): Promise<void> {
  const { home, id, precision } = options;
  const target = installedDirectory(home, id, precision);
  const retired = join(modelDirectory(home, id), retiredName(precision));
  try {
    await rename(target, retired);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  await rename(partial, target);
  await syncDirectory(modelDirectory(home, id));
  await rm(retired, { recursive: true, force: true });
}

/** Makes renames in a folder last through a power cut, where the platform can. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what killed installations and removals left. Call it only with the lock held. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (/^\.(?:int8|fp32|fp16)-.*\.(?:partial|retired)$/.test(name)) {
      await rm(path, { recursive: true, force: true });
    } else if (name.startsWith('.lock.') && (await isOld(path))) {
      await rm(path, { force: true });
    }
  }
}

/** Drafts of locks live for milliseconds; an hour old, they are nobody's. */
async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > 3_600_000;
  } catch {
    return false;
  }
}

async function requireSpace(job: Job, bytes: number): Promise<void> {
  const { home } = job.options;
  const needed = bytes + spareBytes;
  const free = await (job.options.freeBytes ?? freeBytes)(home);
  if (free >= needed) return;
  throw new ModelError(
    `${job.entry.name} needs ${formatBytes(needed)} of free space for its installation, but the disk of ${home} has ${formatBytes(free)}. ` +
      'Free some space, or set DYNAMO_HOME to a folder on another disk.',
  );
}
