/**
 * Writes the weight file that a graph reads, by its weight plan, from a GGUF file.
 *
 * Memory is bounded whatever the tensors' sizes: rows are dequantised in blocks of a few MiB, and
 * matrices stored transposed go through one stripe of whole output rows; when a matrix is larger
 * than the stripe, its source is read once per stripe. Every block awaits real file operations, so
 * the event loop keeps turning.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { describeError, ModelError } from './errors';
import { writeExactly } from './files';
import type { GgufFile } from './gguf';
import type { BoundSource, BoundTensor, WeightPlan } from './plan';
import { bindPlan, storedBytes } from './plan';
import { quantiseRows, transposeInto } from './quantise';

export interface WeightsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the bytes written so far and in all, without gaps and scales. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Values dequantised at once; the default takes 4 MiB of float32. */
  readonly blockValues?: number;
  /** Bytes of the stripe for transposed matrices. */
  readonly stripeBytes?: number;
}

/**
 * Creates `path` with exactly `plan.bytes` bytes; gaps are zero. Synced to the disk on return.
 *
 * @throws {ModelError} when the plan does not fit the GGUF file (before anything is written)
 * @throws the signal's reason when aborted; the unfinished file stays and is the caller's to remove
 */
export async function writeWeights(
  gguf: GgufFile,
  plan: WeightPlan,
  path: string,
  options: WeightsOptions = {},
): Promise<void> {
  const bound = bindPlan(plan, gguf.tensors);
  const total = bound.reduce((sum, { entry }) => sum + storedBytes(entry), 0);
  const file = await open(path, 'wx');
  try {
    await file.truncate(plan.bytes);
    const writer = new TensorWriter(gguf, file, total, options);
    for (const tensor of bound) await writer.write(tensor);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A block of dequantised output rows. */
interface RowBlock {
  /** First output row of the entry in `values`. */
  readonly row: number;
  readonly rows: number;
  /** [rows, columns]; overwritten by the next block. */
  readonly values: Float32Array;
}

class TensorWriter {
  private readonly blockValues: number;
  private readonly stripeBytes: number;
  private stripe = new ArrayBuffer(0);
  private done = 0;

  constructor(
    private readonly gguf: GgufFile,
    private readonly file: FileHandle,
    private readonly total: number,
    private readonly options: WeightsOptions,
  ) {
    this.blockValues = options.blockValues ?? 2 ** 20;
    this.stripeBytes = options.stripeBytes ?? 2 ** 28;
  }

  async write(tensor: BoundTensor): Promise<void> {
    const { entry, rows } = tensor;
    if (entry.transform === 'float32') {
      await this.store(tensor, 4, ({ values }) => values);
      return;
    }
    const scales = new Float32Array(rows);
    let quantised = new Int8Array(0);
    await this.store(tensor, 1, (block) => {
      const count = block.values.length;
      if (quantised.length < count) quantised = new Int8Array(count);
      const integers = quantised.subarray(0, count);
      const blockScales = scales.subarray(block.row, block.row + block.rows);
      try {
        quantiseRows(block.values, tensor.columns, integers, blockScales);
      } catch (error) {
        const rows = `rows ${block.row} to ${block.row + block.rows - 1}`;
        const reason = describeError(error);
        throw new ModelError(`"${entry.name}" cannot be quantised (${rows}): ${reason}`);
      }
      return integers;
    });
    await writeExactly(this.file, bytesOf(scales), entry.scale.offset);
  }

  /** Runs all rows through `transform` and puts them where the entry says, turned if it says so. */
  private async store(
    tensor: BoundTensor,
    itemBytes: 1 | 4,
    transform: (block: RowBlock) => Int8Array | Float32Array,
  ): Promise<void> {
    const { entry, columns, rows } = tensor;
    if (!entry.transpose) {
      for await (const block of this.blocks(tensor)) {
        const stored = transform(block);
        await writeExactly(
          this.file,
          bytesOf(stored),
          entry.offset + block.row * columns * itemBytes,
        );
        this.advance(stored.byteLength);
      }
      return;
    }
    const widest = Math.max(1, Math.floor(this.stripeBytes / (rows * itemBytes)));
    const passes = Math.ceil(columns / widest);
    for (let from = 0; from < columns; from += widest) {
      const width = Math.min(widest, columns - from);
      const values = this.stripeOf(width * rows, itemBytes);
      for await (const block of this.blocks(tensor)) {
        const stored = transform(block);
        if (stored instanceof Int8Array && values instanceof Int8Array) {
          transposeInto(stored, columns, from, values, rows, block.row);
        } else if (stored instanceof Float32Array && values instanceof Float32Array) {
          transposeInto(stored, columns, from, values, rows, block.row);
        }
        this.advance(stored.byteLength / passes);
      }
      await writeExactly(this.file, bytesOf(values), entry.offset + from * rows * itemBytes);
    }
  }

  /** The stripe's memory, grown once to the largest size needed. */
  private stripeOf(length: number, itemBytes: 1 | 4): Int8Array | Float32Array {
    if (this.stripe.byteLength < length * itemBytes) {
      this.stripe = new ArrayBuffer(0); // lets the smaller one go before the larger is made
      this.stripe = new ArrayBuffer(length * itemBytes);
    }
    return itemBytes === 1
      ? new Int8Array(this.stripe, 0, length)
      : new Float32Array(this.stripe, 0, length);
  }

  /** The output rows of all sources, in order. */
  private async *blocks(tensor: BoundTensor): AsyncGenerator<RowBlock> {
    let row = 0;
    for (const source of tensor.sources) {
      for await (const values of this.sourceBlocks(source, tensor.columns)) {
        this.options.signal?.throwIfAborted();
        const rows = values.length / tensor.columns;
        yield { row, rows, values };
        row += rows;
      }
    }
  }

  private async *sourceBlocks(source: BoundSource, columns: number): AsyncGenerator<Float32Array> {
    const { tensor, rows, headRows } = source;
    if (tensor.dims.length === 1) {
      yield unpermute(await this.gguf.rows(tensor, 0, 1), 1, headRows);
      return;
    }
    // Whole heads only, so that undoing the permutation stays inside a block.
    const heads = Math.max(1, Math.floor(this.blockValues / (columns * headRows)));
    const step = Math.min(rows, heads * headRows);
    const values = new Float32Array(step * columns);
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const block = values.subarray(0, count * columns);
      yield unpermute(await this.gguf.rows(tensor, from, count, block), columns, headRows);
    }
  }

  private advance(bytes: number): void {
    this.done += bytes;
    this.options.onProgress?.(Math.min(this.total, Math.round(this.done)), this.total);
  }
}

/**
 * Undoes llama.cpp's permutation of rows for interleaved rope, head by head; see plan.ts.
 *
 * @param values [rows, columns] of whole heads
 * @param headRows rows of a head; 1 leaves everything as it is
 */
function unpermute(values: Float32Array, columns: number, headRows: number): Float32Array {
  if (headRows === 1) return values;
  const result = new Float32Array(values.length);
  const half = headRows / 2;
  for (let head = 0; head < values.length / columns; head += headRows) {
    for (let p = 0; p < 2; p++) {
      for (let j = 0; j < half; j++) {
        const from = (head + 2 * j + p) * columns;
        result.set(values.subarray(from, from + columns), (head + p * half + j) * columns);
      }
    }
  }
  return result;
}

function bytesOf(values: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
