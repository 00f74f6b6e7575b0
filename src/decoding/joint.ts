/**
 * J, the joint tensor of the next n tokens: the outer product of the heads or the rows of a chain,
 * times the co-occurrence mask, clipped to 1. Only cells of at least some minimum are made; they are
 * bit for bit those of the dense tensor.
 *
 * Knows probabilities. It must not know what is done with J.
 */
import { ModelOutputError, type Choice } from './choose';
import { chain, type CooccurrenceMask, type PairFactors } from './cooccurrence';
import type { Cells } from './cells';
import { ChainsJoint } from './chained-joint';
import { choiceAt, headAt, type Head, type Proposal } from './proposal';
import { TripleRows, type Sizes } from './triple-rows';

export interface Joint {
  /** The largest order that the proposal has tokens for. */
  readonly orders: number;
  /** Axes of J of an order. */
  shape(order: number): readonly number[];
  /** Sets `cells` to those of J that are neither 0 nor below `minimum`. */
  fill(cells: Cells, order: number, minimum: number, mask: CooccurrenceMask | undefined): void;
  /** The token ids of a cell. Length [order]. */
  idsAt(order: number, place: number): number[];
  /** Whether one of a cell's tokens is among `ids`. */
  holdsAny(order: number, place: number, ids: ReadonlySet<number>): boolean;
  /** The tokens of a cell with the model's probability of each at temperature 1. Length [order]. */
  tokensAt(order: number, place: number): Choice[];
}

/**
 * Candidates that a head has in J of order 1, 2, 3, 4, so that J has at most 2^18 cells. Of the usual
 * 50, only the fourth order loses any: the least likely ones.
 */
const WIDTHS: readonly number[] = [2 ** 18, 2 ** 9, 2 ** 6, 22];
const NONE = new Float64Array();

/** What rounding can add to a bound that was computed in another order than the cell. */
const SLACK = 1 + 1e-12;

/** What masks say of a proposal's tokens, whatever the temperature: for one proposal and one top-k. */
export type MaskMemory = WeakMap<CooccurrenceMask, Factors>;

interface Factors {
  /** Of heads i and i + 1. */
  readonly pairs: PairFactors[];
  /** Of the first three heads. */
  triples?: TripleRows;
}

/**
 * @param memory for whoever asks for J at many temperatures
 * @throws {ModelOutputError} when the proposal cannot be one
 */
export function jointOf(
  proposal: Proposal,
  temperature: number,
  topK: number,
  memory: MaskMemory = new WeakMap(),
): Joint {
  if (proposal.kind === 'chained') return new ChainsJoint(proposal.chains, temperature, topK);
  if (proposal.heads.length === 0) throw new ModelOutputError('no head');
  return new HeadsJoint(
    proposal.heads.map((head) => headAt(head, temperature, topK)),
    memory,
  );
}

class HeadsJoint implements Joint {
  readonly orders: number;
  private readonly shapes: readonly (readonly number[])[];

  constructor(
    private readonly heads: readonly Head[],
    private readonly memory: MaskMemory,
  ) {
    this.orders = Math.min(heads.length, WIDTHS.length);
    this.shapes = WIDTHS.map((width, i) =>
      heads.slice(0, i + 1).map(({ probabilities }) => Math.min(probabilities.length, width)),
    );
  }

  shape(order: number): readonly number[] {
    return this.shapes[order - 1] ?? [];
  }

  fill(cells: Cells, order: number, minimum: number, mask: CooccurrenceMask | undefined): void {
    cells.clear();
    const sizes = this.shape(order);
    const factors = sizes.map((size, i) => this.probabilities(i).subarray(0, size));
    if (order === 1 || !mask) fillProduct(cells, factors, minimum);
    else if (order === 2) this.fillPairs(cells, factors, minimum, mask);
    else if (order === 3) this.fillTriples(cells, factors, minimum, mask);
    else this.fillQuadruples(cells, factors, minimum, mask);
  }

  idsAt(order: number, place: number): number[] {
    return this.ranksAt(order, place).map((rank, i) => this.heads[i]?.candidates.ids[rank] ?? 0);
  }

  /** Without a list of ranks: it may be asked for every cell of J. */
  holdsAny(order: number, place: number, ids: ReadonlySet<number>): boolean {
    const sizes = this.shape(order);
    for (let axis = order - 1; axis >= 0; axis--) {
      const size = sizes[axis] ?? 1;
      if (ids.has(this.heads[axis]?.candidates.ids[place % size] ?? 0)) return true;
      place = Math.floor(place / size);
    }
    return false;
  }

  tokensAt(order: number, place: number): Choice[] {
    const ranks = this.ranksAt(order, place);
    return this.heads.slice(0, order).map((head, i) => choiceAt(head.candidates, ranks[i] ?? 0));
  }

  private ranksAt(order: number, place: number): number[] {
    const sizes = this.shape(order);
    const ranks = sizes.map(() => 0);
    for (let axis = order - 1; axis >= 0; axis--) {
      const size = sizes[axis] ?? 1;
      ranks[axis] = place % size;
      place = Math.floor(place / size);
    }
    return ranks;
  }

  private fillPairs(
    cells: Cells,
    [first = NONE, second = NONE]: readonly Float64Array[],
    minimum: number,
    mask: CooccurrenceMask,
  ): void {
    const { factors } = this.pairs(0, mask);
    const stride = this.probabilities(1).length;
    for (let a = 0, place = 0; a < first.length; a++) {
      const base = first[a] ?? 0;
      for (let b = 0; b < second.length; b++, place++) {
        const value = base * (second[b] ?? 0) * (factors[a * stride + b] ?? 0);
        if (value >= minimum && value > 0) cells.add(place, Math.min(1, value));
      }
    }
  }

  private fillTriples(
    cells: Cells,
    [first = NONE, second = NONE, third = NONE]: readonly Float64Array[],
    minimum: number,
    mask: CooccurrenceMask,
  ): void {
    const sizes: Sizes = [first.length, second.length, third.length];
    const rows = (this.factors(mask).triples ??= this.tripleRows(0, sizes, mask));
    const peaks = rows.peaks(third);
    const row = new Float64Array(third.length);
    for (let a = 0; a < first.length; a++) {
      for (let b = 0; b < second.length; b++) {
        const base = (first[a] ?? 0) * (second[b] ?? 0);
        if (base * rows.bound(a, b, peaks) * SLACK < minimum) continue;
        rows.fill(a, b, row);
        const start = (a * second.length + b) * third.length;
        for (let c = 0; c < third.length; c++) {
          const value = base * (third[c] ?? 0) * (row[c] ?? 0);
          if (value >= minimum && value > 0) cells.add(start + c, Math.min(1, value));
        }
      }
    }
  }

  private fillQuadruples(
    cells: Cells,
    [first = NONE, second = NONE, third = NONE, fourth = NONE]: readonly Float64Array[],
    minimum: number,
    mask: CooccurrenceMask,
  ): void {
    const [B, C, D] = [second.length, third.length, fourth.length];
    const front = this.tripleRows(0, [first.length, B, C], mask).all();
    const back = this.tripleRows(1, [B, C, D], mask).all();
    const shared = this.pairs(1, mask).factors;
    const stride = this.probabilities(2).length;
    for (let a = 0, triple = 0; a < first.length; a++) {
      for (let b = 0; b < B; b++) {
        for (let c = 0; c < C; c++, triple++) {
          const base = (first[a] ?? 0) * (second[b] ?? 0) * (third[c] ?? 0);
          const head = front[triple] ?? 0;
          const link = shared[b * stride + c] ?? 0;
          for (let d = 0, rear = (b * C + c) * D; d < D; d++, rear++) {
            const value = base * (fourth[d] ?? 0) * chain(head, back[rear] ?? 0, link);
            if (value >= minimum && value > 0) cells.add(triple * D + d, Math.min(1, value));
          }
        }
      }
    }
  }

  private tripleRows(from: number, sizes: Sizes, mask: CooccurrenceMask): TripleRows {
    const ids = (i: 0 | 1 | 2) => this.ids(from + i).subarray(0, sizes[i]);
    const stride = (i: 1 | 2) => this.probabilities(from + i).length;
    return new TripleRows(
      mask,
      [ids(0), ids(1), ids(2)],
      [this.pairs(from, mask), this.pairs(from + 1, mask)],
      [stride(1), stride(2)],
    );
  }

  /** Factors of heads `from` and `from + 1`, which every order from there on needs. */
  private pairs(from: number, mask: CooccurrenceMask): PairFactors {
    return (this.factors(mask).pairs[from] ??= mask.pairs(this.ids(from), this.ids(from + 1)));
  }

  private factors(mask: CooccurrenceMask): Factors {
    let known = this.memory.get(mask);
    if (!known) this.memory.set(mask, (known = { pairs: [] }));
    return known;
  }

  private probabilities(head: number): Float64Array {
    return this.heads[head]?.probabilities ?? NONE;
  }

  private ids(head: number): Int32Array {
    const { candidates, probabilities } = this.heads[head] ?? {};
    return candidates?.ids.subarray(0, probabilities?.length) ?? new Int32Array();
  }
}

/** Outer product of probabilities that fall in each head, so a row ends at its first low cell. */
function fillProduct(cells: Cells, heads: readonly Float64Array[], minimum: number): void {
  const expand = (axis: number, place: number, base: number): void => {
    const head = heads[axis] ?? NONE;
    for (let rank = 0; rank < head.length; rank++) {
      const value = base * (head[rank] ?? 0);
      if (value < minimum || value === 0) return;
      if (axis === heads.length - 1) cells.add(place * head.length + rank, value);
      else expand(axis + 1, place * head.length + rank, value);
    }
  };
  expand(0, 0, 1);
}
