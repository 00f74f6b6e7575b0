/**
 * What a trunk session keeps of one token sequence: keys and values, and the stems of its rows where
 * there are token heads.
 */
import { KvCache, type KvShape } from './kv';
import type { PooledState } from './kv-pool';

export class Sequence implements PooledState {
  readonly kv: KvCache;
  /** [room of the cache, hidden]; less before rows come that need it. */
  private stemRows = new Float32Array();
  private hidden = 0;

  /** @param capacity the most rows; memory is taken as they fill, or as it is reserved */
  constructor(shape: KvShape, capacity: number) {
    this.kv = new KvCache(shape, capacity);
  }

  get tokens(): readonly number[] {
    return this.kv.tokens;
  }

  get rowBytes(): number {
    return this.kv.rowBytes + this.hidden * Float32Array.BYTES_PER_ELEMENT;
  }

  get bytes(): number {
    return this.kv.room * this.rowBytes;
  }

  /** @throws {RangeError} as the cache's does */
  reserve(rows: number): void {
    this.kv.reserve(rows);
  }

  rewind(length: number): void {
    this.kv.rewind(length);
  }

  copy(from: this, length: number): void {
    this.kv.copy(from.kv, length);
    if (from.hidden > 0) this.takeStems(0, length, from.stems(0, length), from.hidden);
  }

  /** Stems of the rows from..to - 1, [to - from, hidden]. */
  stems(from: number, to: number): Float32Array {
    return this.stemRows.subarray(from * this.hidden, to * this.hidden);
  }

  /** Takes over the stems of `rows` rows, the first of which is row `at`. */
  takeStems(at: number, rows: number, stems: Float32Array, hidden = stems.length / rows): void {
    this.hidden = hidden;
    if (this.stemRows.length < (at + rows) * hidden) {
      const grown = new Float32Array(Math.max(at + rows, this.kv.room) * hidden);
      grown.set(this.stemRows);
      this.stemRows = grown;
    }
    this.stemRows.set(stems, at * hidden);
  }
}
