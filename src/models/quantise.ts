/**
 * Symmetric int8 quantisation per row (per output channel), 4 bits per block, and the transposed store.
 *
 * Arithmetic is float32 throughout, as NumPy does it for the same plan: scale = max|w| / 127,
 * q = rint(w / scale) with halves to even, clipped to ±127. −128 is never produced.
 */

/** Smallest normal float32; a scale below it would lose its precision and is treated as zero. */
const smallestNormal = 2 ** -126;

/** 1.5 · 2^52: adding and subtracting it rounds a double to an integer, halves to even. */
const rounder = 6755399441055744;

/**
 * Quantises rows of `columns` values.
 *
 * A row of zeros (or of values too small for a normal scale) gets scale 1 and zeros.
 *
 * @param values [rows, columns]
 * @param quantised receives the integers, [rows, columns]
 * @param scales receives one scale a row, [rows]
 * @throws {RangeError} when a value is not finite or the lengths disagree
 */
export function quantiseRows(
  values: Float32Array,
  columns: number,
  quantised: Int8Array,
  scales: Float32Array,
): void {
  const rows = scales.length;
  if (values.length !== rows * columns || quantised.length !== values.length) {
    throw new RangeError(
      `Quantising ${values.length} values as ${rows} rows of ${columns}: the lengths disagree.`,
    );
  }
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const end = start + columns;
    let largest = 0;
    let finite = 0; // stays 0 unless a NaN or an infinity joins in
    for (let i = start; i < end; i++) {
      const value = values[i] as number;
      const size = Math.abs(value);
      if (size > largest) largest = size;
      finite += value - value;
    }
    if (finite !== 0) throw new RangeError(`Row ${row} holds a value that is not finite.`);

    const scale = Math.fround(largest / 127);
    if (scale < smallestNormal) {
      scales[row] = 1;
      quantised.fill(0, start, end);
      continue;
    }
    scales[row] = scale;
    for (let i = start; i < end; i++) {
      const integer = Math.fround((values[i] as number) / scale) + rounder - rounder;
      quantised[i] = integer > 127 ? 127 : integer < -127 ? -127 : integer;
    }
  }
}

/** Stands for 0 in 4 bits. */
const nibbleZero = 8;

/**
 * Rounds blocks of values to 4 bits, as ONNX Runtime's MatMulNBits reads them.
 *
 * A block's value of the largest magnitude becomes -8, which has no positive counterpart: the scale
 * has the other sign, and 16 steps are used instead of 15. A block of zeros gets scale 1 and zeros.
 *
 * @param values [blocks, block]
 * @param block an even number
 * @param packed receives two integers a byte, the first in the low half, 8 for 0: [blocks, block / 2]
 * @param scales receives one scale a block, [blocks]
 * @throws {RangeError} when a value is not finite or the lengths disagree
 */
export function quantiseBlocks(
  values: Float32Array,
  block: number,
  packed: Uint8Array,
  scales: Float32Array,
): void {
  if (values.length !== scales.length * block || packed.length * 2 !== values.length) {
    throw new RangeError(
      `${values.length} values are not ${scales.length} blocks of ${block}, or do not fit.`,
    );
  }
  for (let index = 0; index < scales.length; index++) {
    const start = index * block;
    const end = start + block;
    let largest = 0;
    let finite = 0;
    for (let i = start; i < end; i++) {
      const value = values[i] as number;
      if (Math.abs(value) > Math.abs(largest)) largest = value;
      finite += value - value;
    }
    if (finite !== 0) throw new RangeError(`Block ${index} holds a value that is not finite.`);

    const scale = Math.fround(largest / -8);
    if (Math.abs(scale) < smallestNormal) {
      scales[index] = 1;
      packed.fill(nibbleZero | (nibbleZero << 4), start / 2, end / 2);
      continue;
    }
    scales[index] = scale;
    for (let i = start; i < end; i += 2) {
      packed[i / 2] =
        nibble((values[i] as number) / scale) | (nibble((values[i + 1] as number) / scale) << 4);
    }
  }
}

/**
 * Rounds blocks of values to 16 steps between the least and the largest one: what a block that was
 * made so before (GGUF's Q4_1) comes out of as it was.
 *
 * `value = (integer - 8) · scale + offset`, so that MatMulNBits reads the integers with their scales,
 * and the offsets meet sums. A block of one value gets scale 1, zeros and the value as its offset.
 *
 * @param values [blocks, block]
 * @param block an even number
 * @param packed receives two integers a byte, the first in the low half, 8 for 0: [blocks, block / 2]
 * @param scales receives one scale a block, [blocks]
 * @param offsets receives the value of 0, one a block, [blocks]
 * @throws {RangeError} when a value, or a block's spread, is not finite or the lengths disagree
 */
export function quantiseBetween(
  values: Float32Array,
  block: number,
  packed: Uint8Array,
  scales: Float32Array,
  offsets: Float32Array,
): void {
  if (
    values.length !== scales.length * block ||
    packed.length * 2 !== values.length ||
    offsets.length !== scales.length
  ) {
    throw new RangeError(
      `${values.length} values are not ${scales.length} blocks of ${block}, or do not fit.`,
    );
  }
  for (let index = 0; index < scales.length; index++) {
    const start = index * block;
    const end = start + block;
    let least = Infinity;
    let largest = -Infinity;
    let finite = 0;
    for (let i = start; i < end; i++) {
      const value = values[i] as number;
      if (value < least) least = value;
      if (value > largest) largest = value;
      finite += value - value;
    }
    const spread = Math.fround(largest - least);
    if (finite !== 0 || spread === Infinity) {
      throw new RangeError(`Block ${index} holds a value or a spread that is not finite.`);
    }

    const scale = Math.fround(spread / 15);
    if (scale < smallestNormal) {
      scales[index] = 1;
      offsets[index] = least;
      packed.fill(nibbleZero | (nibbleZero << 4), start / 2, end / 2);
      continue;
    }
    scales[index] = scale;
    offsets[index] = least + Math.fround(nibbleZero * scale);
    for (let i = start; i < end; i += 2) {
      packed[i / 2] =
        step(Math.fround((values[i] as number) - least) / scale) |
        (step(Math.fround((values[i + 1] as number) - least) / scale) << 4);
    }
  }
}

/** A quotient as one of 16 steps from 0 on, halves to even. */
function step(quotient: number): number {
  const integer = Math.fround(quotient) + rounder - rounder;
  return integer > 15 ? 15 : integer;
}

/** A quotient as one of 16 steps around 0, halves to even. */
function nibble(quotient: number): number {
  const integer = Math.fround(quotient) + rounder - rounder;
  return nibbleZero + (integer > 7 ? 7 : integer < -8 ? -8 : integer);
}

/** Side of the square tiles in which matrices are turned, so that both sides stay in cache. */
const tile = 32;

/**
 * Writes rows into the columns of a transposed matrix of the same type.
 *
 * @param rows [count, columns]
 * @param columns columns of `rows`
 * @param from first column of `rows` to take
 * @param target [width, height]: `target[c][at + r] = rows[r][from + c]` for c < width
 * @param height length of a row of `target`
 * @param at where the first of `rows` goes in each row of `target`
 */
export function transposeInto(
  rows: Int8Array | Uint16Array | Float32Array,
  columns: number,
  from: number,
  target: Int8Array | Uint16Array | Float32Array,
  height: number,
  at: number,
): void {
  const count = rows.length / columns;
  const width = target.length / height;
  for (let c0 = 0; c0 < width; c0 += tile) {
    const c1 = Math.min(c0 + tile, width);
    for (let r0 = 0; r0 < count; r0 += tile) {
      const r1 = Math.min(r0 + tile, count);
      for (let c = c0; c < c1; c++) {
        const line = c * height + at;
        const column = from + c;
        for (let r = r0; r < r1; r++) target[line + r] = rows[r * columns + column] as number;
      }
    }
  }
}

/**
 * Values of rows that `quantiseRows` has rounded. Rounding them again gives the same integers, and
 * the same scales but for the last bit.
 *
 * @param quantised [rows, columns]
 * @param scales [rows]
 * @param values receives the values, [rows, columns]
 * @throws {RangeError} when a scale is not a positive number or the lengths disagree
 */
export function dequantiseRows(
  quantised: Int8Array,
  scales: Float32Array,
  columns: number,
  values: Float32Array,
): void {
  if (quantised.length !== scales.length * columns || values.length !== quantised.length) {
    throw new RangeError(`${quantised.length} values are not ${scales.length} rows of ${columns}.`);
  }
  scales.forEach((scale, row) => {
    if (!(scale > 0 && scale < Infinity)) throw new RangeError(`Row ${row} has the scale ${scale}.`);
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      values[i] = (quantised[i] as number) * scale;
    }
  });
}
