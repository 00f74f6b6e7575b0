/** What all sessions of ONNX Runtime share: how they are opened, and how outputs are read. */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelError } from '../models/errors';
import { findPrepared, keepPrepared, removePrepared } from '../models/prepared';
import { isMemoryError } from './explain';
import type { KvShape, KvValues } from './kv';
import { thisMachine } from './machine';
import type { Provider } from './protocol';
import { CPU } from './provider';
import { productsSaturate } from './saturation';

export interface RuntimeOptions {
  /** Threads inside an operator. Physical cores; more slow each other down. */
  readonly threads: number;
  /** The CPU when absent. */
  readonly provider?: Provider | undefined;
  /** Beginning of the path of what ONNX Runtime writes of every run when the session is closed; for benches. */
  readonly profile?: string;
}

/** Initializers of fewer bytes stay in a prepared graph itself. */
const SMALL_BYTES = 1024;

/**
 * Opens a graph, on the CPU as it was prepared for this processor where it was.
 *
 * @throws when ONNX Runtime cannot read the graph or its weights, or has no such provider
 */
export async function openSession(
  graph: string,
  options: RuntimeOptions,
): Promise<InferenceSession> {
  const settings = await sessionOptions(options);
  const prepared = onCpu(options) ? await preparedGraph(graph) : undefined;
  if (prepared === undefined) return InferenceSession.create(graph, settings);
  try {
    const level = { graphOptimizationLevel: 'disabled' } as const;
    return await InferenceSession.create(prepared, { ...settings, ...level });
  } catch (error) {
    // Too little memory is not its fault. Another process may have it open, which only Windows minds.
    if (!isMemoryError(error)) {
      await removePrepared(graph, await thisMachine()).catch(() => undefined);
    }
    return InferenceSession.create(graph, settings);
  }
}

/** Where a graph was prepared for this processor; undefined where it was not, or is better as it is. */
async function preparedGraph(graph: string): Promise<string | undefined> {
  return (await productsSaturate()) ? findPrepared(graph, await thisMachine()) : undefined;
}

/**
 * Whether a graph could be prepared for this processor and is not. On others than those whose products
 * saturate it would load as fast as ever.
 */
export async function wantsPreparing(graph: string): Promise<boolean> {
  return (await productsSaturate()) && !(await findPrepared(graph, await thisMachine()));
}

/**
 * Prepares a graph for this processor if it wants that; takes about twice the time of loading it.
 *
 * ONNX Runtime could save packed weights, too. MatMulNBits then reads them from where they lie in the
 * file, not aligned as its kernels need them, and crashes (1.30).
 *
 * @returns whether there is nothing left to do; false where the disk has no room
 * @throws {ModelError} while another process is at it
 */
export async function prepareGraph(graph: string, threads: number): Promise<boolean> {
  if (!(await wantsPreparing(graph))) return true;
  const { extra, ...settings } = await sessionOptions({ threads });
  const outcome = await keepPrepared(graph, await thisMachine(), async (files) => {
    const session = await InferenceSession.create(graph, {
      ...settings,
      optimizedModelFilePath: join(files.folder, files.graph),
      extra: {
        session: {
          ...extra.session,
          optimized_model_external_initializers_file_name: files.weights,
          optimized_model_external_initializers_min_size_in_bytes: String(SMALL_BYTES),
        },
      },
    });
    await session.release();
  });
  if (outcome === 'busy') throw new ModelError('Another process is preparing it.');
  return outcome === 'done';
}

const onCpu = ({ provider = CPU }: RuntimeOptions): boolean => provider.name === 'cpu';

async function sessionOptions({ threads, provider = CPU, profile }: RuntimeOptions) {
  const { name, device: deviceId } = provider;
  return {
    // What a GPU's provider has no kernel for runs on the CPU, which ONNX Runtime adds by itself.
    executionProviders: [name === 'cpu' ? name : { name, deviceId }],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: true,
    ...(name === 'dml' && { enableMemPattern: false }), // DirectML cannot have it.
    logSeverityLevel: 3,
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
    extra: {
      session: {
        // Threads that wait inside a run spin (waking one costs more than many an operator takes);
        // when the run ends they sleep, so that nothing burns between tokens.
        intra_op: { allow_spinning: '1' },
        force_spinning_stop: '1',
        ...((await productsSaturate()) && { x64quantprecision: '1' }),
      },
    },
  } satisfies InferenceSession.SessionOptions;
}

/** The shape of a graph's cache, as it declares it. */
export function kvShape(session: InferenceSession): KvShape {
  const declared = session.inputMetadata.find((input) => input.name === 'past.k.0');
  const [kvHeads, headSize] = declared?.isTensor ? declared.shape.slice(1) : [];
  const layers = session.inputNames.filter((name) => name.startsWith('past.k.')).length;
  if (typeof kvHeads !== 'number' || typeof headSize !== 'number' || layers === 0) {
    throw new Error('This graph has no cache: it declares no past.k.0.');
  }
  const half = declared?.isTensor === true && declared.type === 'float16';
  return { layers, kvHeads, headSize, type: half ? 'float16' : 'float32' };
}

/** A run's new keys and values, of the cache's type. */
export function kvOutput(outputs: InferenceSession.OnnxValueMapType): KvValues {
  const { kv } = outputs;
  const data = kv instanceof Tensor ? kv.data : undefined;
  if (data instanceof Float32Array) return data;
  // Newer versions of Node have a type of their own for float16.
  if (kv instanceof Tensor && kv.type === 'float16' && ArrayBuffer.isView(data)) {
    return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  }
  throw new Error("The graph's output kv is missing.");
}

/** The values of an output. */
export function outputData<T>(
  outputs: InferenceSession.OnnxValueMapType,
  name: string,
  type: abstract new (...args: never[]) => T,
): T {
  const output = outputs[name];
  const values = output instanceof Tensor ? output.data : undefined;
  if (!(values instanceof type)) throw new Error(`The graph's output ${name} is missing.`);
  return values;
}
