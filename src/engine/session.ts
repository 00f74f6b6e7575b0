/**
 * A trunk graph on ONNX Runtime with the KV caches of some sequences, one of which it works on: the
 * real stepper.
 *
 * It knows nothing of text, thresholds or stop rules. `InferenceSession.run` blocks the thread, so
 * this runs in the engine's child process only, and long prompts go through in chunks.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import type { PrefillOutput, RowPrediction, Stepper } from '../decoding/stepper';
import type { StemSource } from './heads';
import { BLOCK, type KvCache, type KvShape } from './kv';
import { StatePool } from './kv-pool';
import { kvOutput, kvShape, openSession, outputData, type RuntimeOptions } from './runtime';
import { Sequence } from './sequence';

export interface SessionOptions extends RuntimeOptions {
  /** The most token rows of one sequence. */
  readonly contextLength: number;
  /** Whether to keep every row's stem, for token heads; false when absent. */
  readonly keepStems?: boolean;
  /** Memory for the states of sequences, bytes; 0, and so a single one, when absent. */
  readonly cacheBytes?: number;
}

/** A session's files: a graph, with its weight file beside it. */
export interface GraphFile {
  readonly graph: string;
}

const MAX_STEP_ROWS = 8;

export class TrunkSession implements Stepper, StemSource {
  readonly contextLength: number;
  private readonly pool: StatePool<Sequence>;
  private readonly keepStems: boolean;

  private constructor(
    private readonly session: InferenceSession,
    shape: KvShape,
    { contextLength, keepStems = false, cacheBytes = 0 }: SessionOptions,
  ) {
    this.contextLength = contextLength;
    this.keepStems = keepStems;
    this.pool = new StatePool({
      create: () => new Sequence(shape, contextLength),
      budget: cacheBytes,
    });
  }

  /** @throws when ONNX Runtime cannot read the graph or its weights, or has no such provider */
  static async open(model: GraphFile, options: SessionOptions): Promise<TrunkSession> {
    const session = await openSession(model.graph, options);
    return new TrunkSession(session, kvShape(session), options);
  }

  get length(): number {
    return this.kv.length;
  }

  get tokens(): readonly number[] {
    return this.kv.tokens;
  }

  stems(from: number, to: number): Float32Array {
    return this.pool.current.stems(from, to);
  }

  async prefill(tokens: readonly number[], signal: AbortSignal): Promise<PrefillOutput> {
    if (tokens.length === 0 || tokens.length > this.contextLength) {
      throw new RangeError(
        `A prompt has 1 to ${this.contextLength} tokens; this one has ${tokens.length}.`,
      );
    }
    // The last row runs in any case: its prediction is what the caller wants.
    const reused = this.pool.select(tokens, tokens.length - 1);
    this.pool.reserve(Math.min(this.contextLength, tokens.length + BLOCK));
    let predictions: RowPrediction[] = [];
    while (this.kv.length < tokens.length) {
      signal.throwIfAborted();
      const from = this.kv.length;
      const rows = tokens.slice(from, Math.min(tokens.length, from + this.kv.roomInBlock));
      predictions = await this.run(rows, [rows.length - 1]);
      await turn();
    }
    return { last: only(predictions), reused };
  }

  async step(rows: readonly number[], signal: AbortSignal): Promise<RowPrediction[]> {
    if (rows.length < 1 || rows.length > MAX_STEP_ROWS) {
      throw new RangeError(`A step takes 1 to ${MAX_STEP_ROWS} rows, not ${rows.length}.`);
    }
    if (this.kv.length + rows.length > this.contextLength) {
      throw new RangeError(`The context of ${this.contextLength} tokens is full.`);
    }
    const predictions: RowPrediction[] = [];
    for (let at = 0; at < rows.length;) {
      signal.throwIfAborted();
      const part = rows.slice(at, at + this.kv.roomInBlock);
      predictions.push(...(await this.run(part, [...part.keys()])));
      at += part.length;
    }
    return predictions;
  }

  rewind(length: number): void {
    this.kv.rewind(length);
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  /**
   * Appends rows and returns every logit of each, [rows, vocabulary], row by row: for measuring
   * (perplexity), not for decoding. 4 bytes a row and vocabulary entry leave the graph.
   */
  async *allLogits(tokens: readonly number[]): AsyncGenerator<Float32Array> {
    for (let at = 0; at < tokens.length;) {
      const rows = tokens.slice(at, at + Math.min(this.kv.roomInBlock, MAX_STEP_ROWS));
      const outputs = await this.feed(rows, [...rows.keys()], ['logits', 'kv']);
      const logits = outputData(outputs, 'logits', Float32Array);
      const vocabulary = logits.length / rows.length;
      for (let i = 0; i < rows.length; i++) {
        yield logits.subarray(i * vocabulary, (i + 1) * vocabulary);
      }
      at += rows.length;
    }
  }

  private get kv(): KvCache {
    return this.pool.current.kv;
  }

  /** One run inside a block; predictions for the rows named in `wanted`. */
  private async run(rows: readonly number[], wanted: readonly number[]): Promise<RowPrediction[]> {
    const names = ['top.ids', 'top.logits', 'normalizer', 'kv'];
    const outputs = await this.feed(rows, wanted, names);
    const ids = outputData(outputs, 'top.ids', Int32Array);
    const logits = outputData(outputs, 'top.logits', Float32Array);
    const normalizers = outputData(outputs, 'normalizer', Float32Array);
    const k = ids.length / wanted.length;
    return Array.from(normalizers, (logNormalizer, i) => ({
      ids: ids.subarray(i * k, (i + 1) * k),
      logits: logits.subarray(i * k, (i + 1) * k),
      logNormalizer,
    }));
  }

  /** Runs rows that do not cross a block border and takes their keys and values over. */
  private async feed(
    rows: readonly number[],
    wanted: readonly number[],
    outputNames: readonly string[],
  ): Promise<InferenceSession.OnnxValueMapType> {
    const n = rows.length;
    const start = this.kv.length;
    const outputs = await this.session.run(
      {
        ...this.kv.feeds(),
        input_ids: new Tensor('int32', Int32Array.from(rows), [n]),
        position_ids: new Tensor(
          'int32',
          Int32Array.from(rows, (_, i) => start + i),
          [n],
        ),
        logit_rows: new Tensor('int32', Int32Array.from(wanted), [wanted.length]),
      },
      this.keepStems ? [...outputNames, 'stem'] : outputNames,
    );
    if (this.keepStems) {
      this.pool.current.takeStems(start, n, outputData(outputs, 'stem', Float32Array));
    }
    this.kv.append(rows, kvOutput(outputs));
    return outputs;
  }
}

function only(predictions: RowPrediction[]): RowPrediction {
  const [prediction] = predictions;
  if (!prediction) throw new Error('The graph returned no prediction.');
  return prediction;
}

/** Lets pending messages (a cancellation, say) be handled between two runs. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
