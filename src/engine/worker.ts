/**
 * The engine's child process: the only place where ONNX Runtime, tokenizer, completion and decoding
 * meet. Bundled on its own. Writes nothing that the user typed anywhere but into its answers.
 */
import { availableParallelism } from 'node:os';
import { createCompleter } from './completer';
import { DynamicDrafter } from '../decoding/drafter';
import { RowCosts } from '../decoding/row-costs';
import { explainDevice, explainLoading } from './explain';
import { HeadsSession, type HeadsOptions } from './heads';
import { createInspector } from './inspect';
import { learnRowCosts, measureSteps } from './measure';
import { probeModel } from './probe-model';
import type { LoadOptions, ModelFiles, PreparedResult, Provider } from './protocol';
import { CPU } from './provider';
import { prepareGraph, wantsPreparing } from './runtime';
import { serve } from './serve';
import type { OpenModel } from './server';
import { TrunkSession } from './session';
import { tableReader } from './table';
import { loadTokenizer } from './tokenizer';

/** Rows of the KV cache unless asked otherwise: more context than a completion has use for. */
const DEFAULT_CONTEXT = 4096;
const MAX_THREADS = 8;
/** Time for measuring what rows cost while the model is loaded. */
const MEASURE_MS = 100;
/** Memory for the states of several documents, MB, unless asked otherwise. */
const DEFAULT_CACHE_MEGABYTES = 256;
/** The heads' caches are so much smaller that this share of it holds as many states. */
const HEADS_SHARE = 1 / 4;

async function openModel(model: ModelFiles, options: LoadOptions): Promise<OpenModel> {
  const started = performance.now();
  const contextLength = Math.min(model.contextLength, options.contextLength ?? DEFAULT_CONTEXT);
  const tokenizer = await loadTokenizer(model.tokenizer);
  const threads = options.threads ?? defaultThreads();
  const cacheBytes = 1e6 * (options.cacheMegabytes ?? DEFAULT_CACHE_MEGABYTES);
  const { provider = CPU } = options;
  const sizes = { threads, contextLength, cacheBytes, provider };
  const { stepper, heads } = await openSessions(model, sizes);
  const prepared = provider.name === 'cpu' && (await isPrepared(model));
  const parts = {
    model: model.id,
    format: model.prompt,
    stepper,
    tokenizer,
    ...(heads && { proposer: heads }),
    ...(model.table && { table: tableReader(model.table) }),
    ...(model.defaults && { defaults: model.defaults }),
  };
  const costs = new RowCosts();
  await learnRowCosts(stepper, costs, MEASURE_MS);
  const completer = createCompleter({
    ...parts,
    drafter: new DynamicDrafter({ proposer: heads, costs }),
  });
  const { id, precision } = model;
  return blaming(provider, {
    info: {
      id,
      precision,
      contextLength,
      ...(model.heads && { heads: infoOf(model.heads) }),
      table: model.table !== undefined,
      ...(model.defaults?.epsilon !== undefined && { epsilon: model.defaults.epsilon }),
      provider,
      prepared,
      loadMs: performance.now() - started,
    },
    complete: completer.complete,
    generate: completer.generate,
    inspect: createInspector(parts),
    measure: (request, signal) => measureSteps(stepper, request, signal),
    probe: (signal) => probeModel(parts, signal),
    close: async () => {
      await heads?.close();
      await stepper.close();
    },
  });
}

/** The same model; its requests' errors say so where a GPU is to blame. */
function blaming(provider: Provider, model: OpenModel): OpenModel {
  const blame = (error: unknown): never => {
    throw explainDevice(provider, error);
  };
  return {
    ...model,
    complete: (...args) => model.complete(...args).catch(blame),
    generate: (...args) => model.generate(...args).catch(blame),
    inspect: (...args) => model.inspect(...args).catch(blame),
    measure: (...args) => model.measure(...args).catch(blame),
    probe: (...args) => model.probe(...args).catch(blame),
  };
}

async function openSessions(
  model: ModelFiles,
  options: HeadsOptions & { readonly cacheBytes: number },
) {
  const keepStems = model.heads !== undefined;
  const stepper = await TrunkSession.open(model, { ...options, keepStems });
  if (!model.heads) return { stepper, heads: undefined };
  const { graph, ...description } = model.heads;
  try {
    const heads = await HeadsSession.open(graph, description, stepper, {
      ...options,
      cacheBytes: options.cacheBytes * HEADS_SHARE,
    });
    return { stepper, heads };
  } catch (error) {
    await stepper.close(); // Its memory would stay for the life of the process.
    throw error;
  }
}

const infoOf = ({ name, kind, depth }: NonNullable<ModelFiles['heads']>) => ({ name, kind, depth });

/** Physical cores, as far as one can tell: x64 processors with more than two have two threads each. */
function defaultThreads(): number {
  const logical = availableParallelism();
  const physical = process.arch === 'x64' && logical > 2 ? Math.ceil(logical / 2) : logical;
  return Math.min(MAX_THREADS, physical);
}

/** All graphs of a model, one after the other. */
async function prepareModel(model: ModelFiles, { threads }: LoadOptions): Promise<PreparedResult> {
  let prepared = true;
  for (const graph of graphsOf(model)) {
    prepared = (await prepareGraph(graph, threads ?? defaultThreads())) && prepared;
  }
  return { kind: 'prepared', prepared };
}

const graphsOf = ({ graph, heads }: ModelFiles): string[] =>
  heads ? [graph, heads.graph] : [graph];

async function isPrepared(model: ModelFiles): Promise<boolean> {
  const wanting = await Promise.all(graphsOf(model).map(wantsPreparing));
  return !wanting.includes(true);
}

serve({
  openModel: (model, options) =>
    openModel(model, options).catch((error: unknown) => {
      throw explainLoading(model, explainDevice(options.provider ?? CPU, error));
    }),
  prepareModel,
});
