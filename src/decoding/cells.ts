/**
 * The cells of a joint tensor that are not 0, and the memory that they live in.
 *
 * One list serves a whole generation, because a decision may have to look at every cell.
 */

/** Cells in ascending order of their place in the tensor, row-major. */
export class Cells {
  /** Flat places. Only the first `count` entries count. */
  places = new Int32Array(1024);
  values = new Float64Array(1024);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /** Appends a cell; its place must lie behind those before it. */
  add(place: number, value: number): void {
    if (this.count === this.places.length) this.grow();
    this.places[this.count] = place;
    this.values[this.count++] = value;
  }

  /** Takes those of a tensor that are neither 0 nor below `minimum`, in place of all there were. */
  take(tensor: Float64Array, minimum: number): void {
    this.clear();
    for (let place = 0; place < tensor.length; place++) {
      const value = tensor[place] ?? 0;
      if (value >= minimum && value > 0) this.add(place, value);
    }
  }

  /** Drops all cells below `minimum`. */
  drop(minimum: number): void {
    const { places, values, count } = this;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? 0;
      if (value < minimum) continue;
      places[kept] = places[i] ?? 0;
      values[kept++] = value;
    }
    this.count = kept;
  }

  /** The tensor of these cells, of `size` cells; 0 where there is none. */
  scatter(size: number): Float64Array {
    const { places, values, count } = this;
    const tensor = new Float64Array(size);
    for (let i = 0; i < count; i++) tensor[places[i] ?? 0] = values[i] ?? 0;
    return tensor;
  }

  /** Index of the first of the largest values, or -1 when there is no cell. */
  largest(): number {
    const { values, count } = this;
    let best = -1;
    let value = -Infinity;
    for (let i = 0; i < count; i++) {
      if ((values[i] ?? 0) <= value) continue;
      best = i;
      value = values[i] ?? 0;
    }
    return best;
  }

  /** Index of the cell that `uniform` in [0, 1) falls on, in proportion to the values. */
  draw(uniform: number): number {
    const { values, count } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[i] ?? 0;
    let left = uniform * sum;
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? 0;
      if (left < value) return i;
      left -= value;
    }
    return this.largest(); // Rounding used up the last value.
  }

  private grow(): void {
    const places = new Int32Array(this.places.length * 4);
    const values = new Float64Array(places.length);
    places.set(this.places);
    values.set(this.values);
    this.places = places;
    this.values = values;
  }
}
