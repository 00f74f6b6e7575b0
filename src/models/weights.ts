/**
 * Writes the weight file that a graph reads, by its weight plan, from the files that the plan names.
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
import { toHalves } from './half';
import type { BoundSource, BoundTensor, Origin, WeightPlan } from './plan';
import { bindPlan, integerNames, scaleCount, storedBytes } from './plan';
import { quantiseBetween, quantiseBlocks, quantiseRows, transposeInto } from './quantise';
import type { HeadsSource } from './sources';
import type { TensorSource } from './tensors';

/** The open files that a plan's tensors come from. */
export interface WeightSources {
  readonly gguf?: TensorSource;
  readonly trunk?: TensorSource;
  readonly heads?: HeadsSource;
}

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
 * @throws {ModelError} when the plan does not fit its sources (before anything is written)
 * @throws the signal's reason when aborted; the unfinished file stays and is the caller's to remove
 */
export async function writeWeights(
  sources: WeightSources,
  plan: WeightPlan,
  path: string,
  options: WeightsOptions = {},
): Promise<void> {
  const integers = new Map<string, Int32Array>();
  for (const name of integerNames(plan)) {
    const values = await sources.heads?.integers(name);
    if (values) integers.set(name, values);
  }
  const { gguf, trunk, heads } = sources;
  const tensors = {
    ...(gguf && { gguf: gguf.tensors }),
    ...(trunk && { trunk: trunk.tensors }),
    ...(heads && { heads: heads.tensors }),
  };
  const bound = bindPlan(plan, { tensors, integers });
  const total = bound.reduce((sum, { entry }) => sum + storedBytes(entry), 0);
  const file = await open(path, 'wx');
  try {
    await file.truncate(plan.bytes);
    const writer = new TensorWriter(sources, integers, file, total, options);
    for (const tensor of bound) await writer.write(tensor);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Bytes of a stored value that is no part of a byte. */
type ItemBytes = 1 | 2 | 4;
type Stored = Int8Array | Uint16Array | Float32Array;

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
    private readonly from: WeightSources,
    private readonly integers: ReadonlyMap<string, Int32Array>,
    private readonly file: FileHandle,
    private readonly total: number,
    private readonly options: WeightsOptions,
  ) {
    this.blockValues = options.blockValues ?? 2 ** 20;
    this.stripeBytes = options.stripeBytes ?? 2 ** 28;
  }

  async write(tensor: BoundTensor): Promise<void> {
    const { entry } = tensor;
    if (entry.transform === 'int32') {
      const values = this.integers.get(entry.sources[0].tensor) ?? new Int32Array(0);
      await writeExactly(this.file, bytesOf(values), entry.offset);
      this.advance(values.byteLength);
      return;
    }
    if (entry.transform === 'float32') {
      await this.store(tensor, 4, ({ values }) => values);
      return;
    }
    if (entry.transform === 'float16') {
      await this.writeHalves(tensor);
      return;
    }
    const scales = new Float32Array(scaleCount(entry));
    if (entry.transform === 'int8') {
      await this.writeRows(tensor, scales);
    } else {
      const { block, offsets: stored } = entry;
      const offsets = stored && new Float32Array(scales.length);
      await this.writeBlocks(tensor, block, scales, offsets);
      if (stored && offsets) await writeExactly(this.file, bytesOf(offsets), stored.offset);
    }
    await writeExactly(this.file, bytesOf(scales), entry.scale.offset);
  }

  private async writeHalves(tensor: BoundTensor): Promise<void> {
    let halves = new Uint16Array(0);
    await this.store(tensor, 2, (block) => {
      const count = block.values.length;
      if (halves.length < count) halves = new Uint16Array(count);
      const rounded = halves.subarray(0, count);
      quantising(tensor, block, () => toHalves(block.values, rounded));
      return rounded;
    });
  }

  /** int8, a scale a row. */
  private async writeRows(tensor: BoundTensor, scales: Float32Array): Promise<void> {
    let quantised = new Int8Array(0);
    await this.store(tensor, 1, (block) => {
      const count = block.values.length;
      if (quantised.length < count) quantised = new Int8Array(count);
      const integers = quantised.subarray(0, count);
      const blockScales = scales.subarray(block.row, block.row + block.rows);
      quantising(tensor, block, () => {
        quantiseRows(block.values, tensor.columns, integers, blockScales);
      });
      return integers;
    });
  }

  /** 4 bits, a scale, and an offset where there are some, for every `size` values of a row. */
  private async writeBlocks(
    tensor: BoundTensor,
    size: number,
    scales: Float32Array,
    offsets: Float32Array | undefined,
  ): Promise<void> {
    const { entry, columns } = tensor;
    let packed = new Uint8Array(0);
    for await (const block of this.blocks(tensor)) {
      const count = block.values.length;
      const first = block.row * columns;
      if (packed.length < count / 2) packed = new Uint8Array(count / 2);
      const bytes = packed.subarray(0, count / 2);
      const [from, to] = [first / size, (first + count) / size];
      const blockScales = scales.subarray(from, to);
      quantising(tensor, block, () => {
        if (offsets === undefined) quantiseBlocks(block.values, size, bytes, blockScales);
        else quantiseBetween(block.values, size, bytes, blockScales, offsets.subarray(from, to));
      });
      await writeExactly(this.file, bytes, entry.offset + first / 2);
      this.advance(bytes.length);
    }
  }

  /** Runs all rows through `transform` and puts them where the entry says, turned if it says so. */
  private async store(
    tensor: BoundTensor,
    itemBytes: ItemBytes,
    transform: (block: RowBlock) => Stored,
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
        transposeInto(stored, columns, from, values, rows, block.row);
        this.advance(stored.byteLength / passes);
      }
      await writeExactly(this.file, bytesOf(values), entry.offset + from * rows * itemBytes);
    }
  }

  /** The stripe's memory, grown once to the largest size needed. */
  private stripeOf(length: number, itemBytes: ItemBytes): Stored {
    if (this.stripe.byteLength < length * itemBytes) {
      this.stripe = new ArrayBuffer(0); // lets the smaller one go before the larger is made
      this.stripe = new ArrayBuffer(length * itemBytes);
    }
    if (itemBytes === 1) return new Int8Array(this.stripe, 0, length);
    if (itemBytes === 2) return new Uint16Array(this.stripe, 0, length);
    return new Float32Array(this.stripe, 0, length);
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
    const { tensor, rows, headRows, picked } = source;
    const file = this.open(source.origin);
    if (tensor.dims.length === 1) {
      yield unpermute(await file.readRows(tensor.name, 0, 1), 1, headRows);
      return;
    }
    // Whole heads only, so that undoing the permutation stays inside a block.
    const heads = Math.max(1, Math.floor(this.blockValues / (columns * headRows)));
    const step = Math.min(rows, heads * headRows);
    const values = new Float32Array(step * columns);
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const block = values.subarray(0, count * columns);
      if (picked === undefined) {
        await file.readRows(tensor.name, from, count, block);
      } else {
        await pickRows(file, tensor.name, picked.subarray(from, from + count), columns, block);
      }
      yield unpermute(block, columns, headRows);
    }
  }

  private open(origin: Origin): TensorSource {
    const file = this.from[origin];
    if (file === undefined) throw new Error(`The plan was bound to a file that is not open.`);
    return file;
  }

  private advance(bytes: number): void {
    this.done += bytes;
    this.options.onProgress?.(Math.min(this.total, Math.round(this.done)), this.total);
  }
}

/** @throws {ModelError} that says which rows cannot be rounded */
function quantising({ entry }: BoundTensor, block: RowBlock, quantise: () => void): void {
  try {
    quantise();
  } catch (error) {
    const rows = `rows ${block.row} to ${block.row + block.rows - 1}`;
    throw new ModelError(`"${entry.name}" cannot be quantised (${rows}): ${describeError(error)}`);
  }
}

/** Rows read to pick one of them: below it, one large read is faster than many small ones. */
const widestSpan = 16;

/** Reads some rows of a tensor: all from the first to the last of them at once if they are close. */
async function pickRows(
  file: TensorSource,
  name: string,
  picked: Int32Array,
  columns: number,
  into: Float32Array,
): Promise<void> {
  const first = picked.reduce((least, row) => Math.min(least, row), Infinity);
  const last = picked.reduce((most, row) => Math.max(most, row), 0);
  const span = last - first + 1;
  if (span > widestSpan * picked.length) {
    for (const [i, row] of picked.entries()) {
      await file.readRows(name, row, 1, into.subarray(i * columns, (i + 1) * columns));
    }
    return;
  }
  const rows = await file.readRows(name, first, span);
  picked.forEach((row, i) => {
    const from = (row - first) * columns;
    into.set(rows.subarray(from, from + columns), i * columns);
  });
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

function bytesOf(values: Int32Array | Stored): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
