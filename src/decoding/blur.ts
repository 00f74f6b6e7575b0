/**
 * Gaussian blur of a joint tensor with a kernel of 3 along each axis, as OpenCV's `GaussianBlur` does
 * it with `ksize` 3 and no sigma given: weights ¼, ½, ¼ (OpenCV has this kernel in a table, and does
 * not take the one of its formula for sigma, 0.8) and border BORDER_REFLECT_101, which mirrors at the
 * outermost cell: c b | a b c. An axis of a single cell is left as it is.
 *
 * Most of J is usually 0. Then only the neighbourhood of its cells is computed; both ways do the same
 * arithmetic, so the result is the same bit for bit.
 */
import type { Cells } from './cells';

/** Values of a tensor, but for `zeros` of them, which are 0 (the values may have more). */
export interface Values {
  readonly values: Float64Array;
  readonly zeros: number;
}

export class Blur {
  private from = new Float64Array();
  private to = new Float64Array();
  /** Which cells are in a list of places already. */
  private marks = new Uint8Array();

  /** The result is valid until the next call. */
  apply(cells: Cells, shape: readonly number[]): Values {
    const size = shape.reduce((product, length) => product * length, 1);
    if (this.from.length < size) {
      this.from = new Float64Array(size);
      this.to = new Float64Array(size);
      this.marks = new Uint8Array(size);
    }
    for (let i = 0; i < cells.count; i++) this.from[cells.places[i] ?? 0] = cells.values[i] ?? 0;
    const dense = cells.count * 3 ** shape.length * 2 > size;
    return dense ? this.applyDense(shape, size) : this.applySparse(cells, shape, size);
  }

  private applyDense(shape: readonly number[], size: number): Values {
    let stride = size;
    for (const length of shape) {
      stride /= length;
      if (length === 1) continue;
      this.blurAxis(length, stride, size);
      this.swap();
    }
    const values = this.from.slice(0, size);
    this.from.fill(0, 0, size);
    this.to.fill(0, 0, size);
    return { values, zeros: 0 };
  }

  private blurAxis(length: number, stride: number, size: number): void {
    const { from, to } = this;
    for (let block = 0; block < size; block += length * stride) {
      for (let i = 0; i < length; i++) {
        const here = block + i * stride;
        const before = here + (i > 0 ? -stride : stride);
        const behind = here + (i < length - 1 ? stride : -stride);
        for (let k = 0; k < stride; k++) {
          const sides = (from[before + k] ?? 0) + (from[behind + k] ?? 0);
          to[here + k] = 0.5 * (from[here + k] ?? 0) + 0.25 * sides;
        }
      }
    }
  }

  private applySparse(cells: Cells, shape: readonly number[], size: number): Values {
    let touched: Int32Array = cells.places.subarray(0, cells.count);
    let stride = size;
    for (const length of shape) {
      stride /= length;
      if (length === 1) continue;
      const next = this.neighbours(touched, length, stride);
      const { from, to } = this;
      for (const here of next) {
        const i = ((here / stride) | 0) % length;
        const before = here + (i > 0 ? -stride : stride);
        const behind = here + (i < length - 1 ? stride : -stride);
        const sides = (from[before] ?? 0) + (from[behind] ?? 0);
        to[here] = 0.5 * (from[here] ?? 0) + 0.25 * sides;
      }
      for (const here of touched) from[here] = 0;
      this.swap();
      touched = next;
    }
    const { from } = this;
    const values = new Float64Array(touched.length);
    for (let k = 0; k < touched.length; k++) {
      const here = touched[k] ?? 0;
      values[k] = from[here] ?? 0;
      from[here] = 0;
    }
    return { values, zeros: size - touched.length };
  }

  /** `places` and those next to them along an axis, each once. */
  private neighbours(places: Int32Array, length: number, stride: number): Int32Array {
    const { marks } = this;
    const found = new Int32Array(3 * places.length);
    let count = 0;
    for (const here of places) {
      const i = ((here / stride) | 0) % length;
      const last = Math.min(i + 1, length - 1) - i;
      for (let shift = Math.max(i - 1, 0) - i; shift <= last; shift++) {
        const place = here + shift * stride;
        if (marks[place] === 1) continue;
        marks[place] = 1;
        found[count++] = place;
      }
    }
    const result = found.subarray(0, count);
    for (const place of result) marks[place] = 0;
    return result;
  }

  private swap(): void {
    [this.from, this.to] = [this.to, this.from];
  }
}
