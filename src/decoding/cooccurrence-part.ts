/**
 * The part of a co-occurrence table that one proposal can ask for, as plain data: a few thousand
 * numbers in place of a file, so that whoever has the proposal computes the same J without the table.
 */
import { Cells } from './cells';
import { CooccurrenceMask, type CooccurrenceTable } from './cooccurrence';
import { jointOf } from './joint';
import type { Proposal } from './proposal';

/** Plain data. What is not in it, the table does not hold. */
export interface TablePart {
  readonly resolution: number;
  /** Relative frequency of tokens. */
  readonly unigrams: readonly (readonly [id: number, frequency: number])[];
  readonly pairs: readonly (readonly [a: number, b: number, lift: number])[];
  readonly triples: readonly (readonly [a: number, b: number, c: number, lift: number])[];
}

/** Everything that J of any order, any temperature and any α asks `table` for. */
export function partOf(table: CooccurrenceTable, proposal: Proposal): TablePart {
  const unigrams = new Map<number, number>();
  const pairs = new Map<string, [number, number, number]>();
  const triples = new Map<string, [number, number, number, number]>();
  const recorder: CooccurrenceTable = {
    resolution: table.resolution,
    unigram(id) {
      const frequency = table.unigram(id);
      unigrams.set(id, frequency);
      return frequency;
    },
    pairLift(a, b) {
      const lift = table.pairLift(a, b);
      if (lift !== undefined) pairs.set(`${a},${b}`, [a, b, lift]);
      return lift;
    },
    tripleLift(a, b, c) {
      const lift = table.tripleLift(a, b, c);
      if (lift !== undefined) triples.set(`${a},${b},${c}`, [a, b, c, lift]);
      return lift;
    },
  };
  // A high temperature leaves no beginning without a probability, so every cell asks.
  const joint = jointOf(proposal, 10, Infinity);
  const mask = new CooccurrenceMask(recorder);
  const cells = new Cells();
  for (let order = 2; order <= joint.orders; order++) joint.fill(cells, order, 0, mask);
  return {
    resolution: table.resolution,
    unigrams: [...unigrams],
    pairs: [...pairs.values()],
    triples: [...triples.values()],
  };
}

/** A table that holds a part alone. */
export function tableOfPart(part: TablePart): CooccurrenceTable {
  const unigrams = new Map(part.unigrams);
  const pairs = nested(part.pairs.map(([a, b, lift]) => [a, b, lift] as const));
  const triples = new Map<number, Map<number, Map<number, number>>>();
  for (const [a, b, c, lift] of part.triples) {
    const rows = getOrMake(triples, a, () => new Map<number, Map<number, number>>());
    getOrMake(rows, b, () => new Map<number, number>()).set(c, lift);
  }
  return {
    resolution: part.resolution,
    unigram: (id) => unigrams.get(id) ?? 0,
    pairLift: (a, b) => pairs.get(a)?.get(b),
    tripleLift: (a, b, c) => triples.get(a)?.get(b)?.get(c),
  };
}

function nested(entries: Iterable<readonly [number, number, number]>) {
  const rows = new Map<number, Map<number, number>>();
  for (const [a, b, value] of entries) {
    getOrMake(rows, a, () => new Map<number, number>()).set(b, value);
  }
  return rows;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
