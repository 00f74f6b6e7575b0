/**
 * What editor and command line load: an installed model's files for the execution provider that is to
 * run it. Brings what choose-provider.ts asks together with the real machine.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCatalog } from '../models/catalog';
import { describeError } from '../models/errors';
import { bringHeadsUpToDate } from '../models/install';
import { findInstalled, isWhole, type InstalledModel, type ModelPlace } from '../models/installed';
import { acquireLock } from '../models/lock';
import type { Precision } from '../models/paths';
import { readDefaults } from '../models/threshold-curve';
import { findAdapters, findRuntime } from './adapters';
import { linkCuda, locateRuntime } from './cuda-link';
import { chooseProvider, type ChoiceParts, type ProviderChoice } from './choose-provider';
import { modelFiles } from './client';
import { chooseDefault, defaultIds, servingAdapters, type DefaultModel } from './default-model';
import { probe, type ProbeOptions } from './probe';
import type { LoadOptions, ModelFiles } from './protocol';
import type { Adapter, Adapters, ProviderWish } from './provider';
import { Verdicts } from './verdicts';

export interface ModelWish extends ProviderWish {
  readonly suite: string;
  readonly home: string;
  readonly id: string;
  /** Name of the heads, `none` for none; the catalogue's default when absent. */
  readonly heads?: string | undefined;
  /** Of all providers; int8 on the CPU and fp16 on a GPU when absent. */
  readonly precision?: Precision | undefined;
  readonly options: LoadOptions;
  /** How a process that probes a GPU is started. */
  readonly process: ProbeOptions;
  readonly onProbe?: ChoiceParts['onProbe'];
  /** Told where newer heads of the suite cannot be made, so that the model goes without: a sentence. */
  readonly onOutdated?: (note: string) => void;
}

/** One process at a time tests GPUs. */
async function alone<T>(home: string, work: () => Promise<T>): Promise<T> {
  // Without a folder that can be written to, two may.
  const lock = await acquireLock(join(home, '.probe.lock')).catch(() => undefined);
  try {
    return await work();
  } finally {
    await lock?.release();
  }
}

/**
 * @returns undefined when the model is not installed
 * @throws {EngineError} when it has no such heads
 */
export async function selectModel(wish: ModelWish): Promise<ProviderChoice | undefined> {
  const { precision, home, options, process, onProbe } = wish;
  const cpu = await filesOf(wish, precision ?? 'int8');
  if (!cpu) return undefined;
  const gpu = await gpuFiles(wish);
  return await chooseProvider(wish, {
    models: { cpu, gpu },
    adapters: () => adaptersFor(process.worker, home),
    probe: (model, provider) => probe(process, model, { ...options, provider }),
    verdicts: new Verdicts(home),
    alone: (work) => alone(home, work),
    subject: async ({ provider, driver }, model) => ({
      provider: provider.name,
      device: provider.device,
      driver,
      runtime: (await findRuntime(process.worker)).version,
      model: await identity(model),
    }),
    ...(onProbe && { onProbe }),
  });
}

/** The same for the model that is meant when none is named; `choice` is undefined where none is installed. */
export async function selectDefault(wish: Omit<ModelWish, 'id'>): Promise<DefaultModel> {
  const { suite, home, process, heads } = wish;
  // Heads are named for the model that has them.
  const named = heads !== undefined && heads !== 'none';
  const serving = named ? [] : await adaptersServing(wish, process.worker, home);
  const ids = defaultIds(await readCatalog(suite), serving);
  return await chooseDefault(ids, (id) => selectModel({ ...wish, id }));
}

/**
 * What a model is to be installed as, and which one where none is named: GPUs' graphs are only for
 * machines that have one that serves.
 */
export async function installationFor(
  { suite, home, worker }: InstallationPlace,
  wish: ProviderWish = { provider: 'auto' },
): Promise<{ readonly id: string; readonly precisions: readonly Precision[] }> {
  const serving = await adaptersServing(wish, worker, home);
  const [id] = defaultIds(await readCatalog(suite), serving);
  return { id, precisions: serving.length > 0 ? ['int8', 'fp16'] : ['int8'] };
}

export interface InstallationPlace {
  readonly suite: string;
  readonly home: string;
  /** Path of the bundle that loads the runtime. */
  readonly worker: string;
}

function adaptersServing(wish: ProviderWish, worker: string, home: string): Promise<Adapter[]> {
  const verdicts = new Verdicts(home);
  const adapters = () => adaptersFor(worker, home);
  return servingAdapters(wish, adapters, (adapter) => verdicts.serves(adapter));
}

/**
 * The machine's GPUs, once the CUDA files that the data directory may have are where they are loaded.
 * None where the runtime cannot be found: starting the engine will say so.
 */
export async function adaptersFor(worker: string, home: string): Promise<Adapters> {
  try {
    // A folder that cannot be written to keeps what it has.
    if (process.platform === 'linux') {
      await linkCuda(home, locateRuntime(worker)).catch(() => undefined);
    }
    return await findAdapters(await findRuntime(worker));
  } catch {
    return { found: [], missing: 'ONNX Runtime was not found' };
  }
}

/** Of fp16 graphs, or of what was asked for by name: fp32 on a GPU is for comparing. */
async function gpuFiles(wish: ModelWish): Promise<ChoiceParts['models']['gpu']> {
  const { id, provider, precision = 'fp16' } = wish;
  // The integers of int8 graphs have no kernels on GPUs.
  if (precision === 'int8' || (precision === 'fp32' && provider === 'auto')) {
    return { missing: `${precision} weights were asked for` };
  }
  const missing = `the ${precision} weights of ${id} are not there; installing the model again adds them`;
  return (await filesOf(wish, precision)) ?? { missing };
}

async function filesOf(wish: ModelWish, precision: Precision): Promise<ModelFiles | undefined> {
  const { suite, home, id, heads } = wish;
  const installed = await installedWithHeads(wish, { suite, home, id, precision });
  return installed && (await filesWithDefaults(suite, installed, heads));
}

/** With the suite's present heads, which an update may have brought; they need no download. */
async function installedWithHeads(
  { heads, onOutdated }: ModelWish,
  place: ModelPlace,
): Promise<InstalledModel | undefined> {
  const installed = await findInstalled(place);
  if (!installed || isWhole(installed) || heads === 'none') return installed;
  try {
    return await bringHeadsUpToDate(place);
  } catch (error) {
    onOutdated?.(`The token heads could not be renewed: ${describeError(error)}`);
    return installed;
  }
}

/** An installed model as the engine needs it, with the defaults that the suite has for its heads. */
export async function filesWithDefaults(
  suite: string,
  installed: InstalledModel,
  headsName?: string,
): Promise<ModelFiles> {
  const files = modelFiles(installed, headsName);
  const set = installed.heads.sets.find(({ name }) => name === files.heads?.name);
  if (!set) return files;
  const heads = { name: set.name, sha256: set.description.sha256 };
  return { ...files, defaults: await readDefaults(suite, files.id, heads, files.precision) };
}

/** Names a model's graphs, so that a verdict on others does not count. */
async function identity({ id, precision, graph, heads }: ModelFiles): Promise<string> {
  const hash = createHash('sha256').update(await readFile(graph));
  if (heads) hash.update(await readFile(heads.graph));
  const name = [id, precision, heads?.name ?? 'none'].join(' ');
  return `${name} ${hash.digest('hex').slice(0, 16)}`;
}
