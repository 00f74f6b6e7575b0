/**
 * Makes a model's token heads beside its trunk: their weight file from the suite's trained heads and
 * the trunk's weight file, and their graph. The GGUF file is not needed, so heads of a newer suite
 * reach an installed model without another download.
 */
import { join } from 'node:path';
import { readdir, rename, rm } from 'node:fs/promises';
import { describeError, ModelError } from './errors';
import { hashFile, writeAtomically } from './files';
import { headsFileNames } from './paths';
import type { WeightPlan } from './plan';
import { checkBorrowed } from './plan';
import type { ProgressListener } from './progress';
import type { HeadsRecord, InstallRecord } from './record';
import { formatRecord, recordName } from './record';
import { openSafetensors } from './safetensors';
import { HeadsSource, TrunkSource } from './sources';
import type { SuiteHeads } from './suite';
import { writeWeights } from './weights';

export interface HeadsJob {
  readonly heads: SuiteHeads;
  /** The trunk's plan, by which `trunkWeights` was written. */
  readonly trunk: WeightPlan;
  readonly trunkWeights: string;
  readonly signal: AbortSignal | undefined;
  readonly report: ProgressListener;
}

/** Bytes that heads take on the disk. */
export function headsBytes(heads: readonly SuiteHeads[]): number {
  return heads.reduce((sum, { parsed, graph }) => sum + parsed.bytes + graph.content.length, 0);
}

/**
 * Writes the weight file under a name of its own in `directory`; the returned record says what it is
 * to be called.
 *
 * @throws {ModelError} when the suite's files do not belong together
 * @throws the signal's reason when aborted; the unfinished file stays and is the caller's to remove
 */
export async function writeHeadsWeights(job: HeadsJob, path: string): Promise<HeadsRecord> {
  const { heads, trunk, signal, report } = job;
  const { plan, parsed, graph, file } = heads;
  checkBorrowed(parsed, trunk);
  await checkTrained(job);
  const stored = await openSafetensors(file);
  try {
    const base = await TrunkSource.open(job.trunkWeights, trunk);
    try {
      await writeWeights({ heads: new HeadsSource(stored), trunk: base }, parsed, path, {
        signal,
        onProgress: (done, total) => report({ phase: 'convert', source: 'heads', done, total }),
      });
    } finally {
      await base.close();
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ModelError(`${file} holds values that cannot be used: ${describeError(error)}`, {
      cause: error,
    });
  } finally {
    await stored.close();
  }
  const weights = await hashFile(path, {
    signal,
    onProgress: (done) => report({ phase: 'finish', source: 'heads', done, total: parsed.bytes }),
  });
  return {
    name: heads.name,
    plan: { bytes: Buffer.byteLength(plan.text), sha256: plan.sha256 },
    graph: { file: headsFileNames(heads.name, parsed.precision).graph, bytes: graph.content.length, sha256: graph.sha256 },
    weights: { file: parsed.weights, ...weights },
  };
}

/**
 * Gives an installed trunk one of the suite's heads. Until the last step the record knows either the
 * old ones of that name or none, so that an interruption costs these heads, never the model.
 *
 * @returns the new record
 */
export async function renewHeads(
  job: HeadsJob,
  directory: string,
  record: InstallRecord,
  assertHeld: () => Promise<void>,
): Promise<InstallRecord> {
  const recordPath = join(directory, recordName);
  const weights = join(directory, job.heads.parsed.weights);
  const partial = `${weights}.partial`;
  await rm(partial, { force: true });
  try {
    const heads = await writeHeadsWeights(job, partial);
    job.signal?.throwIfAborted();
    await assertHeld();
    const others = record.heads.filter(({ name }) => name !== heads.name);
    await writeAtomically(recordPath, formatRecord({ ...record, heads: others }));
    await rename(partial, weights);
    await writeAtomically(join(directory, heads.graph.file), job.heads.graph.content);
    const renewed = { ...record, heads: [...others, heads] };
    await writeAtomically(recordPath, formatRecord(renewed));
    return renewed;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Removes files of heads that the record does not name: of other names, or of an older version. */
export async function removeOldHeads(directory: string, record: InstallRecord): Promise<void> {
  const kept = new Set(record.heads.flatMap(({ graph, weights }) => [graph.file, weights.file]));
  for (const file of await readdir(directory)) {
    if (/^heads[.-]/.test(file) && !kept.has(file)) await rm(join(directory, file), { force: true });
  }
}

/** The trained heads must be those that the plan was made for. */
async function checkTrained({ heads, signal }: HeadsJob): Promise<void> {
  const { bytes, sha256 } = heads.parsed.heads;
  const again =
    'Rebuild the suite with `python -m dynamo_training graphs`, or reinstall the extension.';
  let found: { bytes: number; sha256: string };
  try {
    found = await hashFile(heads.file, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ModelError(`${heads.file} cannot be read: ${describeError(error)}. ${again}`, {
      cause: error,
    });
  }
  if (found.bytes === bytes && found.sha256 === sha256) return;
  throw new ModelError(`${heads.file} is not what ${heads.plan.path} was made for. ${again}`);
}
