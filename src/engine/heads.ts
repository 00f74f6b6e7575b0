/**
 * Token heads on ONNX Runtime: what they propose behind the trunk's last row.
 *
 * They read the trunk's stems and keep a cache of their own, which follows the trunk's: a place's row
 * rests on its stem and on the token behind it. What is missing is caught up when the heads are asked,
 * so a step without them costs nothing. See training/dynamo_training/export/heads.py.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import type { ChainLink } from '../decoding/proposal';
import type { Proposer } from '../decoding/stepper';
import { KvCache } from './kv';
import { kvShape, openSession, outputData } from './runtime';

/** The trunk, as its heads see it. */
export interface StemSource {
  readonly tokens: readonly number[];
  /** Stems of the places from..to - 1, [to - from, hidden]. */
  stems(from: number, to: number): Float32Array;
}

export interface HeadsOptions {
  readonly threads: number;
  readonly contextLength: number;
}

export class HeadsSession implements Proposer {
  readonly kind = 'chained';
  private readonly kv: KvCache;
  private readonly noise: Tensor;

  private constructor(
    private readonly session: InferenceSession,
    private readonly trunk: StemSource,
    readonly depth: number,
    contextLength: number,
  ) {
    this.kv = new KvCache(kvShape(session), contextLength);
    const declared = session.inputMetadata.find((input) => input.name === 'noise');
    const size = declared?.isTensor ? declared.shape : [];
    const [rows, columns] = size;
    if (rows !== depth || typeof columns !== 'number') {
      throw new Error(`This graph is not one of ${depth} applications of token heads.`);
    }
    this.noise = new Tensor('float32', new Float32Array(rows * columns), [rows, columns]);
  }

  /**
   * @param depth applications of the heads: the tokens that they propose
   * @throws when ONNX Runtime cannot read the graph or its weights
   */
  static async open(
    graph: string,
    depth: number,
    trunk: StemSource,
    { threads, contextLength }: HeadsOptions,
  ): Promise<HeadsSession> {
    return new HeadsSession(await openSession(graph, threads), trunk, depth, contextLength);
  }

  async propose(next: number, signal: AbortSignal): Promise<readonly ChainLink[]> {
    const { tokens } = this.trunk;
    if (tokens.length === 0) return [];
    const behind = [...tokens.slice(1), next];
    // The last row runs in any case: it is the one to predict from.
    this.kv.rewind(Math.min(this.kv.commonPrefix(behind), behind.length - 1));
    let links: readonly ChainLink[] = [];
    while (this.kv.length < behind.length) {
      signal.throwIfAborted();
      const from = this.kv.length;
      links = await this.run(behind.slice(from, from + this.kv.roomInBlock), from);
    }
    return links;
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  private async run(behind: readonly number[], from: number): Promise<ChainLink[]> {
    const rows = behind.length;
    const stems = this.trunk.stems(from, from + rows);
    const places = Int32Array.from(behind, (_, i) => from + i);
    const outputs = await this.session.run(
      {
        ...this.kv.feeds(),
        stem: new Tensor('float32', stems, [1, rows, stems.length / rows]),
        next_ids: new Tensor('int32', Int32Array.from(behind), [rows]),
        position_ids: new Tensor('int32', places, [rows]),
        noise: this.noise,
      },
      ['top.ids', 'top.logits', 'normalizer', 'chosen', 'kv'],
    );
    this.kv.append(behind, outputData(outputs, 'kv', Float32Array));
    const ids = outputData(outputs, 'top.ids', Int32Array);
    const logits = outputData(outputs, 'top.logits', Float32Array);
    const normalizers = outputData(outputs, 'normalizer', Float32Array);
    const k = ids.length / this.depth;
    return Array.from(outputData(outputs, 'chosen', Int32Array), (id, i) => ({
      id,
      candidates: {
        ids: ids.subarray(i * k, (i + 1) * k),
        logits: logits.subarray(i * k, (i + 1) * k),
        logNormalizer: normalizers[i] ?? NaN,
      },
    }));
  }
}
