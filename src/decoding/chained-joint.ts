/**
 * J of chained heads. Its probabilities hold for one beginning each, so it has one row for each
 * evaluated beginning of n - 1 tokens, with the candidates of the n-th token as columns; a value is
 * the product of the conditional probabilities along the chain. Shape [chains, k].
 */
import { ModelOutputError, type Choice } from './choose';
import type { CooccurrenceMask } from './cooccurrence';
import type { Cells } from './cells';
import type { Joint } from './joint';
import { choiceAt, headAt, type ChainLink, type Head } from './proposal';

/** The most tokens of a step. */
const MOST_TOKENS = 4;

/** A link and what it is at a temperature. */
interface Link {
  readonly id: number;
  /** Rank of `id` among the top k, or -1. */
  readonly rank: number;
  readonly head: Head;
}

interface Row {
  /** The n - 1 links before the candidates. */
  readonly beginning: readonly Link[];
  /** Product of the probabilities of the beginning. */
  readonly base: number;
  readonly head: Head;
}

export class ChainsJoint implements Joint {
  readonly orders: number;
  private readonly rowsOf: readonly (readonly Row[])[];

  /** @throws {ModelOutputError} when the chains cannot be ones */
  constructor(chains: readonly (readonly ChainLink[])[], temperature: number, topK: number) {
    const linked = chains.map((chain) =>
      chain.map(({ id, candidates }): Link => {
        const head = headAt(candidates, temperature, topK);
        const rank = candidates.ids.subarray(0, head.probabilities.length).indexOf(id);
        return { id, rank, head };
      }),
    );
    const rowsOf: Row[][] = [];
    for (let order = 1; order <= MOST_TOKENS; order++) {
      const rows = rowsOfOrder(linked, order);
      if (rows.length === 0) break;
      rowsOf.push(rows);
    }
    if (rowsOf.length === 0) throw new ModelOutputError('a chain without a link');
    this.rowsOf = rowsOf;
    this.orders = rowsOf.length;
  }

  shape(order: number): readonly number[] {
    const rows = this.rows(order);
    return [rows.length, Math.max(...rows.map(({ head }) => head.probabilities.length))];
  }

  fill(cells: Cells, order: number, minimum: number, mask: CooccurrenceMask | undefined): void {
    cells.clear();
    const [, width = 0] = this.shape(order);
    for (const [index, { beginning, base, head }] of this.rows(order).entries()) {
      const tokens = [...beginning.map(({ id }) => id), 0];
      for (const [rank, probability] of head.probabilities.entries()) {
        let value = base * probability;
        if (mask && order > 1) {
          tokens[order - 1] = head.candidates.ids[rank] ?? 0;
          value = Math.min(1, value * mask.factor(tokens));
        }
        if (value >= minimum && value > 0) cells.add(index * width + rank, value);
      }
    }
  }

  idsAt(order: number, place: number): number[] {
    return this.tokensAt(order, place).map(({ id }) => id);
  }

  holdsAny(order: number, place: number, ids: ReadonlySet<number>): boolean {
    return this.idsAt(order, place).some((id) => ids.has(id));
  }

  tokensAt(order: number, place: number): Choice[] {
    const [, width = 1] = this.shape(order);
    const row = this.rows(order)[Math.floor(place / width)];
    if (!row) return [];
    const choices = row.beginning.map(({ head, rank }) => choiceAt(head.candidates, rank));
    return [...choices, choiceAt(row.head.candidates, place % width)];
  }

  private rows(order: number): readonly Row[] {
    return this.rowsOf[order - 1] ?? [];
  }
}

/** Rows for every different beginning of `order` - 1 tokens that has a probability. */
function rowsOfOrder(chains: readonly (readonly Link[])[], order: number): Row[] {
  const rows: Row[] = [];
  const seen = new Set<string>();
  for (const chain of chains) {
    const last = chain[order - 1];
    const beginning = chain.slice(0, order - 1);
    const base = beginning.reduce(
      (product, { head, rank }) => product * (head.probabilities[rank] ?? 0),
      1,
    );
    const key = beginning.map(({ id }) => id).join();
    if (!last || base === 0 || seen.has(key)) continue;
    seen.add(key);
    rows.push({ beginning, base, head: last.head });
  }
  return rows;
}
