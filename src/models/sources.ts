/**
 * Two files as sources of weights beside the GGUF file: the trained heads of the suite, and what an
 * installation made of the base before. Rows that both hold in int8 have a scale each, and rounding them
 * again gives the same integers; so it does with float16.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { ModelError } from './errors';
import { readExactly } from './files';
import { fromHalves } from './half';
import type { PlannedTensor, WeightPlan } from './plan';
import { dequantiseRows } from './quantise';
import type { SafetensorsFile, StoredTensor } from './safetensors';
import type { SourceTensor, TensorSource } from './tensors';
import { requireTensor, rowLength, rowsInto } from './tensors';

/** Name of the scales of an int8 tensor in a file of heads. */
const scalesOf = (name: string): string => `${name}.scale`;

interface HeadsTensor extends SourceTensor {
  readonly stored: StoredTensor;
  /** float32 [rows] for int8 rows. */
  readonly scales?: StoredTensor;
}

/** Trained heads; see training/dynamo_training/export/pack.py. */
export class HeadsSource implements TensorSource {
  readonly tensors: ReadonlyMap<string, HeadsTensor>;

  /** @throws {ModelError} when an int8 tensor has no fitting scales */
  constructor(private readonly file: SafetensorsFile) {
    const tensors = new Map<string, HeadsTensor>();
    for (const [name, stored] of file.tensors) {
      if (stored.type === 'I32') continue;
      const dims = [...stored.shape].reverse();
      if (stored.type === 'F32') {
        tensors.set(name, { name, dims, stored });
        continue;
      }
      const scales = file.tensors.get(scalesOf(name));
      const [rows] = stored.shape;
      if (stored.shape.length !== 2 || scales?.type !== 'F32' || scales.bytes !== 4 * (rows ?? 0)) {
        throw new ModelError(`"${name}" in ${file.path} has no scale for each of its rows.`);
      }
      tensors.set(name, { name, dims, stored, scales });
    }
    this.tensors = tensors;
  }

  async readRows(
    name: string,
    from: number,
    count: number,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const tensor = requireTensor(this.tensors, name);
    const values = rowsInto(tensor, from, count, into);
    const columns = rowLength(tensor);
    if (tensor.scales === undefined) {
      await this.file.read(tensor.stored, from * columns, values);
      return values;
    }
    const integers = new Int8Array(values.length);
    const scales = new Float32Array(count);
    await this.file.read(tensor.stored, from * columns, integers);
    await this.file.read(tensor.scales, from, scales);
    dequantiseRows(integers, scales, columns, values);
    return values;
  }

  /**
   * The values of an int32 tensor.
   *
   * @throws {ModelError} when there is none of that name
   */
  async integers(name: string): Promise<Int32Array> {
    const tensor = this.file.tensors.get(name);
    if (tensor?.type !== 'I32') {
      throw new ModelError(`${this.file.path} has no integers called "${name}".`);
    }
    const values = new Int32Array(tensor.bytes / 4);
    await this.file.read(tensor, 0, values);
    return values;
  }
}

interface TrunkTensor extends SourceTensor {
  readonly entry: PlannedTensor;
}

/** An open weight file of a trunk: those of its tensors that are stored row by row. */
export class TrunkSource implements TensorSource {
  readonly tensors: ReadonlyMap<string, TrunkTensor>;

  private constructor(
    plan: WeightPlan,
    private readonly path: string,
    private readonly file: FileHandle,
  ) {
    // What 4 bits have left of a matrix is no source of anything.
    const kept = plan.tensors.filter(
      ({ transpose, transform }) => !transpose && transform !== 'int4',
    );
    this.tensors = new Map(
      kept.map((entry) => [
        entry.name,
        { name: entry.name, dims: [...entry.shape].reverse(), entry },
      ]),
    );
  }

  /** @param plan the plan that the file was written by */
  static async open(path: string, plan: WeightPlan): Promise<TrunkSource> {
    return new TrunkSource(plan, path, await open(path, 'r'));
  }

  async readRows(
    name: string,
    from: number,
    count: number,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const tensor = requireTensor(this.tensors, name);
    const values = rowsInto(tensor, from, count, into);
    const columns = rowLength(tensor);
    const { entry } = tensor;
    if (entry.transform === 'int32' || entry.transform === 'int4') {
      throw new RangeError(`"${name}" has no rows to read.`);
    }
    if (entry.transform === 'float32') {
      await this.fill(values, entry.offset + 4 * from * columns);
      return values;
    }
    if (entry.transform === 'float16') {
      const halves = new Uint16Array(values.length);
      await this.fill(halves, entry.offset + 2 * from * columns);
      fromHalves(halves, values);
      return values;
    }
    const integers = new Int8Array(values.length);
    const scales = new Float32Array(count);
    await this.fill(integers, entry.offset + from * columns);
    await this.fill(scales, entry.scale.offset + 4 * from);
    dequantiseRows(integers, scales, columns, values);
    return values;
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private async fill(target: Int8Array | Uint16Array | Float32Array, position: number): Promise<void> {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    await readExactly(this.file, bytes, position, this.path);
  }
}
