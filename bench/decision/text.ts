/**
 * Made-up text with the statistics that matter to a decision: Zipf's law over a vocabulary of a real
 * model's size, and tokens that mostly follow from the one before. Its table is counted, its proposals
 * are cut out of it, so as many pairs and triples of candidates are in the table as in real text.
 */
import type { Candidates, Proposal } from '../../src/decoding/proposal';
import { writeCooccurrence } from '../../test/fixtures/cooccurrence-writer';

const VOCABULARY = 151_936;
const TOKENS = 2_000_000;
/** N-grams that were seen less often are left out. */
const LEAST = 3;

/** A token by Zipf's law: the id is its rank. */
const zipf = (random: () => number) => Math.floor(Math.pow(VOCABULARY, random())) - 1;

/** The token that usually comes `choice`-th after another one; frequent tokens first. */
function successor(token: number, choice: number): number {
  const hash = Math.imul(token * 31 + choice + 1, 0x9e3779b1) >>> 0;
  return Math.floor(Math.pow(VOCABULARY, hash / 2 ** 32)) - 1;
}

export function makeText(random: () => number): Int32Array {
  const text = new Int32Array(TOKENS);
  for (let place = 1; place < TOKENS; place++) {
    const follows = random() < 0.7;
    const choice = Math.floor(Math.pow(random(), 3) * 40);
    text[place] = follows ? successor(text[place - 1] ?? 0, choice) : zipf(random);
  }
  return text;
}

/** Its table, as a file. */
export function countTable(text: Int32Array): Uint8Array {
  const at = (place: number) => text[place] ?? 0;
  const ones = new Float64Array(VOCABULARY);
  for (const token of text) ones[token] = (ones[token] ?? 0) + 1;
  const unigrams = ones.map((times) => times / TOKENS);
  const p = (id: number) => unigrams[id] ?? 0;

  const pairKey = (place: number) => at(place) * VOCABULARY + at(place + 1);
  const pairs = count(text.length - 1, pairKey);
  const keys = [...pairs.keys()];
  const rankOf = new Map(keys.map((key, rank) => [key, rank]));
  const triples = count(text.length - 2, (place) => {
    const rank = rankOf.get(pairKey(place));
    return rank === undefined ? -1 : rank * VOCABULARY + at(place + 2);
  });
  triples.delete(-1);

  const split = (key: number) => [Math.floor(key / VOCABULARY), key % VOCABULARY] as const;
  return writeCooccurrence({
    resolution: (LEAST - 0.5) / TOKENS,
    unigrams,
    pairs: Array.from(pairs, ([key, times]) => {
      const [a, b] = split(key);
      return [a, b, times / TOKENS / (p(a) * p(b))] as const;
    }),
    triples: Array.from(triples, ([key, times]) => {
      const [rank, c] = split(key);
      const [a, b] = split(keys[rank] ?? 0);
      return [a, b, c, times / TOKENS / (p(a) * p(b) * p(c))] as const;
    }),
  });
}

/** Counts of keys, those of at least `LEAST`. */
function count(length: number, keyOf: (place: number) => number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let place = 0; place < length; place++) {
    const key = keyOf(place);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const [key, times] of counts) if (times < LEAST) counts.delete(key);
  return counts;
}

/**
 * Three heads' proposal behind a place of the text. A head knows less the farther it looks: its best
 * probability falls (about 0.6, 0.35, 0.2 on average) and its other candidates are frequent tokens.
 */
export function proposalAt(text: Int32Array, place: number, random: () => number): Proposal {
  let beam = [text[place] ?? 0];
  const heads = [0.6, 0.35, 0.2].map((best): Candidates => {
    beam = beam.flatMap((token) => Array.from({ length: 8 }, (_, i) => successor(token, i)));
    const ids = new Set(beam.slice(0, 25));
    while (ids.size < 50) ids.add(zipf(random));
    beam = beam.slice(0, 4);
    const sharpness = Math.min(6, (best / (1 - best)) * -2 * Math.log(random()));
    const logits = Float32Array.from(ids, (_, rank) => -1.1 * Math.log(1 + rank * sharpness));
    logits.sort().reverse();
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    return { ids: Int32Array.from(ids), logits, logNormalizer: Math.log(sum * 1.05) };
  });
  return { kind: 'independent', heads };
}
