/**
 * The keys and values of one token sequence, for a trunk graph.
 *
 * Every layer has one buffer of keys and one of values, position-major: [position, kv head, d]. The
 * graph reads whole blocks of it (`past`) and the rest (`tail`) where they lie, and hands back only
 * the rows that are new; see training/dynamo_training/export/trunk.py for why.
 */
import { Tensor } from 'onnxruntime-node';
import { commonPrefix, type PooledState } from './kv-pool';

/** Positions in a block. No run may cross a block border. */
export const BLOCK = 128;

export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Of the graph's inputs and output; float32 when absent. */
  readonly type?: 'float32' | 'float16';
}

/** Keys or values. Nothing is computed with them here, so float16 stays 16 bits each. */
export type KvValues = Float32Array | Uint16Array;

export class KvCache implements PooledState {
  private buffers: KvValues[];
  private readonly type: 'float32' | 'float16';
  private readonly width: number;
  private readonly placeholders: Record<string, Tensor> = {};
  private past: { readonly length: number; readonly feeds: Record<string, Tensor> } | undefined;
  private held: number[] = [];
  private reserved = 0;

  /** @param capacity the most positions; memory is taken as they fill, or as it is reserved */
  constructor(
    private readonly shape: KvShape,
    readonly capacity: number,
  ) {
    this.width = shape.kvHeads * shape.headSize;
    this.type = shape.type ?? 'float32';
    this.buffers = Array.from({ length: 2 * shape.layers }, () => this.values(0));
    const value = this.values(this.width);
    // The fp16 graphs hide it themselves.
    const key = this.type === 'float16' ? value : this.values(this.width).fill(-1e30);
    this.eachBuffer((part, layer) => {
      this.placeholders[`past.${part}.${layer}`] = this.tensor(part === 'k' ? key : value);
    });
  }

  /** The token of every row. */
  get tokens(): readonly number[] {
    return this.held;
  }

  get length(): number {
    return this.held.length;
  }

  /** Positions left before the next block border. */
  get roomInBlock(): number {
    return BLOCK - (this.length % BLOCK);
  }

  /** Keys and values of one position, bytes. */
  get rowBytes(): number {
    return this.buffers.length * this.width * (this.type === 'float16' ? 2 : 4);
  }

  /** Positions that there is memory for. */
  get room(): number {
    return this.reserved;
  }

  get bytes(): number {
    return this.reserved * this.rowBytes;
  }

  /**
   * Takes memory for so many positions, in whole blocks, where there is less.
   *
   * @throws {RangeError} when they are more than the capacity, or the system has no memory left
   */
  reserve(positions: number): void {
    if (positions <= this.reserved) return;
    if (positions > this.capacity) {
      throw new RangeError(`${positions} rows do not fit a KV cache of ${this.capacity}.`);
    }
    const room = Math.min(this.capacity, BLOCK * Math.ceil(positions / BLOCK));
    this.buffers = this.buffers.map((rows) => {
      const grown = this.values(room * this.width);
      grown.set(rows.subarray(0, this.length * this.width));
      return grown;
    });
    this.reserved = room;
    this.past = undefined;
  }

  /** How many leading tokens of `tokens` the cache holds. */
  commonPrefix(tokens: readonly number[]): number {
    return commonPrefix(this.held, tokens);
  }

  /** The graph inputs `has_past`, `past.*` and `tail.*` for a run that continues this sequence. */
  feeds(): Record<string, Tensor> {
    const pastLength = this.length - (this.length % BLOCK);
    if (this.past?.length !== pastLength) {
      const feeds = pastLength > 0 ? this.views('past', 0, pastLength) : { ...this.placeholders };
      feeds.has_past = new Tensor('bool', [pastLength > 0], [1]);
      this.past = { length: pastLength, feeds };
    }
    return { ...this.past.feeds, ...this.views('tail', pastLength, this.length) };
  }

  /**
   * Takes over the rows that a run produced.
   *
   * @param rows the graph's `kv` output, [2 * layers, tokens.length, kv heads, d]
   * @throws {RangeError} when they do not fit
   */
  append(tokens: readonly number[], rows: KvValues): void {
    const size = tokens.length * this.width;
    if (this.length + tokens.length > this.capacity || rows.length !== size * this.buffers.length) {
      throw new RangeError(
        `${tokens.length} rows do not fit a KV cache of ${this.length}/${this.capacity}.`,
      );
    }
    this.grow(this.length + tokens.length);
    const at = this.length * this.width;
    this.buffers.forEach((buffer, i) => {
      buffer.set(rows.subarray(i * size, (i + 1) * size), at);
    });
    this.held.push(...tokens);
  }

  /**
   * Becomes the first `length` positions of another cache of the same shape.
   *
   * @throws {RangeError} when the other one has fewer, or they do not fit
   */
  copy(from: KvCache, length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > Math.min(from.length, this.capacity)) {
      throw new RangeError(`Cannot copy ${length} of ${from.length} positions.`);
    }
    const { width, buffers, type } = from;
    if (width !== this.width || buffers.length !== this.buffers.length || type !== this.type) {
      throw new RangeError('The caches differ in shape.');
    }
    this.rewind(0);
    this.reserve(length);
    this.buffers.forEach((buffer, i) => {
      const rows = from.buffers[i]?.subarray(0, length * this.width);
      if (rows) buffer.set(rows);
    });
    this.held = from.held.slice(0, length);
  }

  /** Forgets all positions behind the first `length`. */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.length) {
      throw new RangeError(`Cannot rewind ${this.length} positions to ${length}.`);
    }
    this.held.length = length;
  }

  /** Room for so many positions, and for more than that, so that few rows are copied each time. */
  private grow(positions: number): void {
    if (positions <= this.reserved) return;
    this.reserve(Math.min(this.capacity, Math.max(positions, Math.ceil(1.5 * this.reserved))));
  }

  private views(name: string, from: number, to: number): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    this.eachBuffer((part, layer, buffer) => {
      const rows = buffer.subarray(from * this.width, to * this.width);
      feeds[`${name}.${part}.${layer}`] = this.tensor(rows);
    });
    return feeds;
  }

  private values(length: number): KvValues {
    return this.type === 'float16' ? new Uint16Array(length) : new Float32Array(length);
  }

  private tensor(rows: KvValues): Tensor {
    const { kvHeads, headSize } = this.shape;
    return new Tensor(this.type, rows, [rows.length / this.width, kvHeads, headSize]);
  }

  private eachBuffer(visit: (part: 'k' | 'v', layer: number, buffer: KvValues) => void): void {
    this.buffers.forEach((buffer, i) => {
      visit(i % 2 === 0 ? 'k' : 'v', i >> 1, buffer);
    });
  }
}
