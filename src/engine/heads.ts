/**
 * Token heads on ONNX Runtime: what they propose behind the trunk's last row.
 *
 * They read the trunk's stems and keep a cache of their own, which follows the trunk's. A row rests on
 * its place's stem and, but for independent heads, on the token behind it. What is missing is caught
 * up when the heads are asked, so a step without them costs nothing; who verifies the guesses may ask
 * for those that rest on the latest rows alone. See training/dynamo_training/export/heads.py.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import type { ChainLink } from '../decoding/proposal';
import type { Proposer } from '../decoding/stepper';
import { KvCache } from './kv';
import { commonPrefix, StatePool } from './kv-pool';
import { kvOutput, kvShape, openSession, outputData, type RuntimeOptions } from './runtime';

/** The trunk, as its heads see it. */
export interface StemSource {
  readonly tokens: readonly number[];
  /** Stems of the places from..to - 1, [to - from, hidden]. */
  stems(from: number, to: number): Float32Array;
}

/** What a heads graph is. */
export interface HeadsDescription {
  readonly kind: Proposer['kind'];
  /** Tokens that one run proposes. */
  readonly depth: number;
  /** Rows at a run's end that rest on the run's own guesses, and are not kept. */
  readonly provisional: number;
}

export interface HeadsOptions extends RuntimeOptions {
  readonly contextLength: number;
  /** Memory for caches of several sequences, bytes; 0, and so a single one, when absent. */
  readonly cacheBytes?: number;
}

/**
 * A row of a chained head is known by the token behind its place. That says nothing of the text's very
 * first token, on which all of them rest: the first row's key has it above so many ids.
 */
const IDS = 2 ** 32;

/** Keys and values of a text's rows but for the first ones. */
interface Span {
  readonly kv: KvCache;
  /** What the rows that it lacks rest on. */
  before: readonly number[];
}

export class HeadsSession implements Proposer {
  readonly kind: Proposer['kind'];
  readonly depth: number;
  private readonly provisional: number;
  /** Of whole texts. */
  private readonly pool: StatePool<KvCache>;
  /** Of a text's latest rows. */
  private readonly latest: Span;
  private readonly noise: Tensor;

  private constructor(
    private readonly session: InferenceSession,
    { kind, depth, provisional }: HeadsDescription,
    private readonly trunk: StemSource,
    { contextLength, cacheBytes = 0 }: HeadsOptions,
  ) {
    this.kind = kind;
    this.depth = depth;
    this.provisional = provisional;
    const shape = kvShape(session);
    const create = () => new KvCache(shape, contextLength);
    this.pool = new StatePool({ create, budget: cacheBytes });
    this.latest = { kv: create(), before: [] };
    const declared = session.inputMetadata.find((input) => input.name === 'noise');
    const [rows, columns] = declared?.isTensor ? declared.shape : [];
    const chained = session.inputNames.includes('next_ids');
    if (rows !== depth || typeof columns !== 'number' || chained !== (kind === 'chained')) {
      throw new Error(`This graph is not one of ${depth} applications of ${kind} token heads.`);
    }
    this.noise = new Tensor('float32', new Float32Array(rows * columns), [rows, columns]);
  }

  /** @throws when ONNX Runtime cannot read the graph or its weights, or has no such provider */
  static async open(
    graph: string,
    description: HeadsDescription,
    trunk: StemSource,
    options: HeadsOptions,
  ): Promise<HeadsSession> {
    return new HeadsSession(await openSession(graph, options), description, trunk, options);
  }

  behind(most = Infinity): number {
    const { tokens } = this.trunk;
    const rows = this.rowsOf(tokens);
    const span = most === Infinity ? { kv: this.pool.current, before: [] } : this.latest;
    const missing = missingIn(span, rows) + tokens.length - rows.length;
    return missing <= most ? missing : Math.min(most, tokens.length);
  }

  async propose(next: number, signal: AbortSignal, most = Infinity): Promise<readonly ChainLink[]> {
    const { tokens } = this.trunk;
    if (tokens.length === 0) return [];
    const rows = this.rowsOf(tokens, next);
    const span = most === Infinity ? this.whole(rows) : this.recent(rows, most);
    const { kv } = span;
    const start = span.before.length;
    let links: readonly ChainLink[] = [];
    for (let from = start + kv.length; from < rows.length; from = start + kv.length) {
      signal.throwIfAborted();
      // More than are dropped again, so that it goes on.
      const to = Math.min(rows.length, from + kv.roomInBlock + this.provisional);
      links = await this.run(span, rows.slice(from, to), from);
      if (to === rows.length) break;
    }
    return links;
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  /** What tells rows apart, beside their stems, which rest on the tokens up to their places. */
  private rowsOf(tokens: readonly number[], ...next: number[]): readonly number[] {
    if (this.kind !== 'chained') return tokens;
    const rows = [...tokens.slice(1), ...next];
    const [first, second] = [tokens[0], rows[0]];
    if (first !== undefined && second !== undefined) rows[0] = first * IDS + second;
    return rows;
  }

  /** What is kept of the text, without its last row: that runs in any case, to predict from. */
  private whole(rows: readonly number[]): Span {
    this.pool.select(rows, rows.length - 1);
    return { kv: this.pool.current, before: [] };
  }

  /** The same of its latest rows; begins anew, with `most` rows, where more than those are missing. */
  private recent(rows: readonly number[], most: number): Span {
    const { latest } = this;
    const missing = missingIn(latest, rows);
    if (missing > most) {
      latest.before = rows.slice(0, Math.max(0, rows.length - most));
      latest.kv.rewind(0);
    } else {
      latest.kv.rewind(rows.length - Math.max(1, missing) - latest.before.length);
    }
    return latest;
  }

  private async run(
    { kv, before }: Span,
    keys: readonly number[],
    from: number,
  ): Promise<ChainLink[]> {
    const rows = keys.length;
    const stems = this.trunk.stems(from, from + rows);
    const places = Int32Array.from(keys, (_, i) => from + i);
    const outputs = await this.session.run(
      {
        ...kv.feeds(),
        stem: new Tensor('float32', stems, [1, rows, stems.length / rows]),
        ...(this.kind === 'chained' && {
          next_ids: new Tensor(
            'int32',
            Int32Array.from(keys, (key) => key % IDS),
            [rows],
          ),
        }),
        position_ids: new Tensor('int32', places, [rows]),
        noise: this.noise,
      },
      ['top.ids', 'top.logits', 'normalizer', 'chosen', 'kv'],
    );
    kv.append(keys, kvOutput(outputs));
    kv.rewind(Math.max(from - before.length, kv.length - this.provisional));
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

/** How many of a text's rows it has yet to run; Infinity where it is of another text. */
function missingIn({ kv, before }: Span, rows: readonly number[]): number {
  if (commonPrefix(before, rows) < before.length || before.length >= rows.length) return Infinity;
  return rows.length - before.length - kv.commonPrefix(rows.slice(before.length));
}
