/**
 * What a weight plan takes its values from, whatever file they stand in: tensors that are read row
 * by row as float32.
 */
export interface SourceTensor {
  readonly name: string;
  /** ggml's order: dims[0] is the length of a row, the product of the others the number of rows. */
  readonly dims: readonly number[];
}

export interface TensorSource {
  readonly tensors: ReadonlyMap<string, SourceTensor>;

  /**
   * Dequantises `count` rows of a tensor, from row `from` on. A 1-D tensor has one row.
   *
   * @param into receives the values when given; its length must be count · dims[0]
   * @returns [count, dims[0]], row-major
   * @throws {RangeError} when there is no such tensor, or it has no such rows
   */
  readRows(name: string, from: number, count: number, into?: Float32Array): Promise<Float32Array>;
}

/** Values of a row that are dequantised at once at most, 64 MiB of float32. */
export const maxBlockValues = 2 ** 24;

/** Values in a row: dims[0]. */
export function rowLength(tensor: SourceTensor): number {
  return tensor.dims[0] ?? 0;
}

/** Number of rows: the product of all dims but the first. */
export function rowCount(tensor: SourceTensor): number {
  return tensor.dims.slice(1).reduce((product, dim) => product * dim, 1);
}

/** @throws {RangeError} when there is none of that name */
export function requireTensor<T extends SourceTensor>(tensors: ReadonlyMap<string, T>, name: string): T {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new RangeError(`There is no tensor called "${name}".`);
  return tensor;
}

/**
 * Room for some rows of a tensor: `into`, or a new array.
 *
 * @throws {RangeError} when the tensor has no such rows, or `into` another length
 */
export function rowsInto(
  tensor: SourceTensor,
  from: number,
  count: number,
  into: Float32Array | undefined,
): Float32Array {
  const total = rowCount(tensor);
  if (!Number.isInteger(from) || !Number.isInteger(count) || from < 0 || count < 0) {
    throw new RangeError('Rows are counted in whole numbers from 0.');
  }
  if (from + count > total) {
    throw new RangeError(
      `Rows ${from} to ${from + count} of ${tensor.name} were asked for; it has ${total}.`,
    );
  }
  const length = count * rowLength(tensor);
  const values = into ?? new Float32Array(length);
  if (values.length !== length) {
    throw new RangeError(`${count} rows of ${tensor.name} need ${length} values.`);
  }
  return values;
}
