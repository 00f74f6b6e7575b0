/** What all sessions of ONNX Runtime share: how they are opened, and how outputs are read. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { KvShape, KvValues } from './kv';
import type { Provider } from './protocol';
import { productsSaturate } from './saturation';

export interface RuntimeOptions {
  /** Threads inside an operator. Physical cores; more slow each other down. */
  readonly threads: number;
  /** The CPU when absent. */
  readonly provider?: Provider | undefined;
}

/** @throws when ONNX Runtime cannot read the graph or its weights, or has no such provider */
export async function openSession(
  graph: string,
  { threads, provider = { name: 'cpu', device: 0 } }: RuntimeOptions,
): Promise<InferenceSession> {
  const { name, device: deviceId } = provider;
  return InferenceSession.create(graph, {
    // What a GPU's provider has no kernel for runs on the CPU, which ONNX Runtime adds by itself.
    executionProviders: [name === 'cpu' ? name : { name, deviceId }],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: true,
    ...(name === 'dml' && { enableMemPattern: false }), // DirectML cannot have it.
    logSeverityLevel: 3,
    extra: {
      session: {
        // Threads that wait inside a run spin (waking one costs more than many an operator takes);
        // when the run ends they sleep, so that nothing burns between tokens.
        intra_op: { allow_spinning: '1' },
        force_spinning_stop: '1',
        ...((await productsSaturate()) && { x64quantprecision: '1' }),
      },
    },
  });
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
