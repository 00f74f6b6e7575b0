/**
 * The co-occurrence mask: corrects the independence of the heads by how often their tokens stand
 * next to one another in the training corpus. A cell of J is multiplied by lift^α, where
 *
 *   lift(x1..xn) = p̂(x1..xn) / (p̂(x1) · … · p̂(xn)),   p̂: relative frequencies in the corpus.
 *
 * What an n-gram gets that the table does not hold:
 *
 * - `'parts'` (default): what its parts predict, but no more than the table's resolution leaves. A
 *   pair's parts predict 1 (independence), a triple's the product of its pairs' lifts (a first-order
 *   Markov chain); and since the n-gram would be held if it were more frequent than the resolution r,
 *   its lift is at most r / (p̂(x1) · … · p̂(xn)). So two frequent tokens that never meet are punished
 *   hard, while nothing is held against two rare ones, for which a corpus of any size has no pairs.
 *   The literal reading would forbid every name that the training corpus does not have.
 * - a number: that lift; 0 is the paper's literal reading.
 *
 * No triple is taken to be more frequent than either of its pairs, as rounded lifts could have it.
 * No table holds 4-grams: theirs is lift(abc) · lift(bcd) / lift(bc), a second-order Markov chain.
 *
 * Knows ids and numbers. It must not know where a table comes from.
 */

export interface CooccurrenceTable {
  /** Relative frequency that an n-gram can have at most when the table does not hold it. In [0, 1]. */
  readonly resolution: number;
  /** Relative frequency p̂ of a token, in [0, 1]; 0 for one that the corpus does not have. */
  unigram(id: number): number;
  /** p̂(a,b) / (p̂(a) p̂(b)), or undefined when the table does not hold the pair. Finite, ≥ 0. */
  pairLift(a: number, b: number): number | undefined;
  /**
   * p̂(a,b,c) / (p̂(a) p̂(b) p̂(c)), or undefined when the table does not hold the triple. Asked only
   * when it holds (a,b) and (b,c): what counts triples has counted their pairs at least as often.
   */
  tripleLift(a: number, b: number, c: number): number | undefined;
}

export interface MaskOptions {
  /** α_c in [0, 4]; 0 leaves J as it is. */
  readonly alpha?: number;
  /** Lift of what the table does not hold. */
  readonly unseen?: 'parts' | number;
}

/** Factors of all pairs of two lists of tokens, row-major. Shapes [first, second]. */
export interface PairFactors {
  readonly factors: Float64Array;
  /** 1 where the table holds the pair. */
  readonly held: Uint8Array;
}

/** Keeps products of factors finite, whatever a table says. */
const LARGEST = 1e50;
/** What a token is taken for that the corpus does not have: rare beyond any corpus. */
const RAREST = 1e-15;

export class CooccurrenceMask {
  /** Resolution^α. */
  readonly resolution: number;
  /** What everything gets that the table does not hold; undefined when its parts say. */
  readonly constant: number | undefined;
  private readonly alpha: number;

  /** @throws {RangeError} when an option is out of range */
  constructor(
    private readonly table: CooccurrenceTable,
    { alpha = 1, unseen = 'parts' }: MaskOptions = {},
  ) {
    if (!(alpha >= 0 && alpha <= 4)) {
      throw new RangeError(`The co-occurrence exponent must lie between 0 and 4, not ${alpha}.`);
    }
    if (unseen !== 'parts' && !(unseen >= 0 && unseen <= LARGEST)) {
      throw new RangeError(`The lift of unseen n-grams must be 0 or more, not ${unseen}.`);
    }
    this.alpha = alpha;
    this.resolution = this.power(table.resolution);
    this.constant = unseen === 'parts' ? undefined : this.power(unseen);
  }

  /** The factor of 2, 3 or 4 tokens. */
  factor(tokens: ArrayLike<number>): number {
    const [a = 0, b = 0, c = 0, d = 0] = Array.from(tokens);
    if (tokens.length === 2) return this.pair(a, b);
    if (tokens.length === 3) return this.triple(a, b, c);
    return chain(this.triple(a, b, c), this.triple(b, c, d), this.pair(b, c));
  }

  /** 1 / p̂^α of each token. */
  rarities(ids: Int32Array): Float64Array {
    return Float64Array.from(ids, (id) => this.rarity(id));
  }

  pairs(first: Int32Array, second: Int32Array): PairFactors {
    const factors = new Float64Array(first.length * second.length);
    const held = new Uint8Array(factors.length);
    const firstRarities = this.rarities(first);
    const secondRarities = this.rarities(second);
    for (let i = 0, place = 0; i < first.length; i++) {
      const a = first[i] ?? 0;
      const limit = this.resolution * (firstRarities[i] ?? 0);
      for (let j = 0; j < second.length; j++, place++) {
        const lift = this.table.pairLift(a, second[j] ?? 0);
        if (lift !== undefined) held[place] = 1;
        factors[place] =
          lift !== undefined
            ? this.power(lift)
            : (this.constant ?? Math.min(1, limit * (secondRarities[j] ?? 0)));
      }
    }
    return { factors, held };
  }

  /** The factor that the table has for a triple of two held pairs, or undefined. */
  heldTriple(a: number, b: number, c: number): number | undefined {
    const lift = this.table.tripleLift(a, b, c);
    return lift === undefined ? undefined : this.power(lift);
  }

  private pair(a: number, b: number): number {
    return this.pairs(Int32Array.of(a), Int32Array.of(b)).factors[0] ?? 0;
  }

  private triple(a: number, b: number, c: number): number {
    const { table, resolution, constant } = this;
    const held = table.pairLift(a, b) !== undefined && table.pairLift(b, c) !== undefined;
    const factor = held ? this.heldTriple(a, b, c) : undefined;
    const [front, back] = [this.pair(a, b), this.pair(b, c)];
    if (factor !== undefined) {
      return Math.min(factor, front * this.rarity(c), back * this.rarity(a));
    }
    const limit = resolution * this.rarity(a) * this.rarity(b) * this.rarity(c);
    return constant ?? Math.min(front * back, limit);
  }

  private rarity(id: number): number {
    return this.power(1 / Math.max(this.table.unigram(id), RAREST));
  }

  /** x^α, held within what products of four can bear. */
  private power(x: number): number {
    const value = this.alpha === 1 ? x : Math.pow(x, this.alpha);
    return value === 0 ? 0 : Math.min(LARGEST, Math.max(1 / LARGEST, value));
  }
}

/** Factor of a 4-gram from those of its triples and of the pair that they share. */
export function chain(front: number, back: number, shared: number): number {
  return shared === 0 ? 0 : (front * back) / shared;
}
