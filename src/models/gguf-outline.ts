/**
 * Walks over a GGUF file's metadata and tensor index by their lengths alone, before a parser believes
 * them: every length must stay within the file. A parser that trusts one goes on reading for bytes
 * that never come.
 */
import { readSync } from 'node:fs';

/** Header bytes that no model of the catalogue's kind comes near; a header is walked in one go. */
const MOST_BYTES = 2 ** 26;
const MOST_DIMS = 4;
const PREAMBLE = 24;

/** Bytes of metadata values by their type number; strings and arrays are handled apart. */
export const scalarBytes: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);
export const stringType = 8;
export const arrayType = 9;

export interface OutlineCounts {
  readonly metadataKeys: number;
  readonly tensors: number;
}

/**
 * @param fd an open file
 * @param size its bytes
 * @throws {Error} when a length leads out of the file, or the header is absurdly long
 */
export function checkOutline(fd: number, size: number, counts: OutlineCounts): void {
  const walk = new Walk(fd, Math.min(size, MOST_BYTES));
  for (let n = 0; n < counts.metadataKeys; n++) {
    walk.string();
    walk.value(walk.uint32());
  }
  for (let n = 0; n < counts.tensors; n++) {
    walk.string();
    const dims = walk.uint32();
    if (dims > MOST_DIMS) throw new Error(`a tensor has a shape of ${dims} dimensions`);
    walk.skip(8 * dims + 4 + 8); // Sizes, type, offset.
  }
}

/** A place in a file, which moves forward only. */
class Walk {
  private readonly window = Buffer.allocUnsafeSlow(2 ** 18);
  private start = 0;
  private end = 0;
  private at = PREAMBLE;

  constructor(
    private readonly fd: number,
    private readonly limit: number,
  ) {}

  skip(bytes: number): void {
    // A sum beyond 2^53 is beyond the limit as well.
    if (this.at + bytes > this.limit) {
      throw new Error('its header has a length that leads out of the file');
    }
    this.at += bytes;
  }

  uint32(): number {
    return this.read(4).readUInt32LE(0);
  }

  /** A length; beyond 2^53 it is not exact, and far too long. */
  uint64(): number {
    return Number(this.read(8).readBigUInt64LE(0));
  }

  string(): void {
    this.skip(this.uint64());
  }

  value(type: number): void {
    if (type === stringType) return this.string();
    if (type !== arrayType) return this.skip(bytesOf(type));
    const items = this.uint32();
    const count = this.uint64();
    if (items !== stringType) return this.skip(count * bytesOf(items));
    for (let n = 0; n < count; n++) this.string(); // Each takes 8 bytes at least: it ends.
  }

  private read(bytes: number): Buffer {
    const from = this.at;
    this.skip(bytes);
    if (from < this.start || this.at > this.end) {
      this.start = from;
      const most = Math.min(this.window.length, this.limit - from);
      this.end = from + readSync(this.fd, this.window, 0, most, from);
      if (this.at > this.end) throw new Error('it ends early');
    }
    return this.window.subarray(from - this.start, this.at - this.start);
  }
}

function bytesOf(type: number): number {
  if (type === arrayType) throw new Error('it has nested metadata arrays, which are not supported');
  const bytes = scalarBytes.get(type);
  if (bytes === undefined) throw new Error(`it has metadata of the unknown type ${type}`);
  return bytes;
}
