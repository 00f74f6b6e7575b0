/**
 * Mask factors of the triples of three heads, one row (a, b) at a time, so that rows that cannot
 * reach a threshold are never made and the table is asked for a triple only where it may hold one.
 */
import type { CooccurrenceMask, PairFactors } from './cooccurrence';

/** Candidates of three heads. */
export type Sizes = readonly [first: number, second: number, third: number];

/** Maxima over the third head's candidates c of weights[c] and its products. */
export interface Peaks {
  readonly weight: number;
  /** With 1 / p̂(c)^α. */
  readonly rarity: number;
  /** With the factor of the pair (b, c), for each b. Shape [second]. */
  readonly pairs: Float64Array;
}

export class TripleRows {
  private readonly sizes: Sizes;
  private readonly ids: readonly [Int32Array, Int32Array, Int32Array];
  private readonly rarities: readonly [Float64Array, Float64Array, Float64Array];
  /** For each b the ranks c for which the table holds the pair (b, c). */
  private readonly heldAfter: readonly (readonly number[])[];

  /**
   * @param strides row lengths of the two tables of pair factors, which may have more candidates
   */
  constructor(
    private readonly mask: CooccurrenceMask,
    ids: readonly [Int32Array, Int32Array, Int32Array],
    private readonly pairs: readonly [front: PairFactors, back: PairFactors],
    private readonly strides: readonly [number, number],
  ) {
    const [first, second, third] = ids;
    this.ids = ids;
    this.sizes = [first.length, second.length, third.length];
    this.rarities = [mask.rarities(first), mask.rarities(second), mask.rarities(third)];
    this.heldAfter = Array.from(second, (_, b) => {
      const held: number[] = [];
      for (let c = 0; c < third.length; c++) {
        if (pairs[1].held[b * strides[1] + c] === 1) held.push(c);
      }
      return held;
    });
  }

  peaks(weights: Float64Array): Peaks {
    const [, second] = this.sizes;
    const peak = (factors: Float64Array, start: number) => {
      let most = 0;
      for (let c = 0; c < weights.length; c++) {
        most = Math.max(most, (weights[c] ?? 0) * (factors[start + c] ?? 0));
      }
      return most;
    };
    const pairs = new Float64Array(second);
    for (let b = 0; b < second; b++) pairs[b] = peak(this.pairs[1].factors, b * this.strides[1]);
    return { weight: Math.max(...weights), rarity: peak(this.rarities[2], 0), pairs };
  }

  /**
   * An upper bound, but for rounding, of weights[c] · factor of (a, b, c) over all c.
   *
   * @param peaks `peaks(weights)`
   */
  bound(a: number, b: number, peaks: Peaks): number {
    const place = a * this.strides[0] + b;
    const front = this.pairs[0].factors[place] ?? 0;
    const back = peaks.pairs[b] ?? 0;
    const { constant } = this.mask;
    const unseen = constant === undefined ? front * back : constant * peaks.weight;
    if (this.pairs[0].held[place] !== 1) return unseen;
    const held = Math.min(front * peaks.rarity, back * (this.rarities[0][a] ?? 0));
    return Math.max(unseen, held);
  }

  /** Writes the factors of (a, b, c) for all c. Shape [third]. */
  fill(a: number, b: number, into: Float64Array): void {
    const { mask } = this;
    const place = a * this.strides[0] + b;
    if (mask.constant === undefined) {
      const front = this.pairs[0].factors[place] ?? 0;
      const back = this.pairs[1].factors;
      const start = b * this.strides[1];
      const [first, second, third] = this.rarities;
      const limit = mask.resolution * (first[a] ?? 0) * (second[b] ?? 0);
      for (let c = 0; c < into.length; c++) {
        into[c] = Math.min(front * (back[start + c] ?? 0), limit * (third[c] ?? 0));
      }
    } else {
      into.fill(mask.constant);
    }
    if (this.pairs[0].held[place] !== 1) return;
    const [first, second, third] = this.ids;
    for (const c of this.heldAfter[b] ?? []) {
      const factor = mask.heldTriple(first[a] ?? 0, second[b] ?? 0, third[c] ?? 0);
      if (factor === undefined) continue;
      const front = (this.pairs[0].factors[place] ?? 0) * (this.rarities[2][c] ?? 0);
      const back =
        (this.pairs[1].factors[b * this.strides[1] + c] ?? 0) * (this.rarities[0][a] ?? 0);
      into[c] = Math.min(factor, front, back);
    }
  }

  /** All of them. Shape [first, second, third]. */
  all(): Float64Array {
    const [first, second, third] = this.sizes;
    const factors = new Float64Array(first * second * third);
    for (let row = 0; row < first * second; row++) {
      const [a, b] = [Math.floor(row / second), row % second];
      this.fill(a, b, factors.subarray(row * third, (row + 1) * third));
    }
    return factors;
  }
}
