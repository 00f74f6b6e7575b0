/**
 * Draws the inputs of the decoding goldens, number by number as training/oracle/decoding_goldens.py
 * does it, so that only results need to be stored.
 */
import type { CooccurrenceTable } from '../../../src/decoding/cooccurrence';
import type { FastOptions } from '../../../src/decoding/fast-options';
import type { Candidates, Proposal } from '../../../src/decoding/proposal';
import { seededRandom } from '../../../src/decoding/random';

const VOCABULARY = 60;

type Random = () => number;

const below = (random: Random, limit: number) => Math.floor(random() * limit);
const many = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);

export interface OracleCase {
  readonly options: FastOptions;
  readonly proposal: Proposal;
  readonly recent: readonly number[];
}

export function oracleCase(seed: number): OracleCase {
  const random = seededRandom(seed);
  const most = 2 + below(random, 3);
  const k = 2 + below(random, [49, 11, 5][most - 2] ?? 0);
  const chains = random() < 0.3 ? below(random, 4) : 0;
  const table = drawTable(random);
  const options: FastOptions = {
    seed,
    table,
    epsilon: [0, 1, random(), Math.pow(random(), 3)][below(random, 4)] ?? 0,
    temperature: 0.3 + random() * 1.2,
    topK: Math.max(chains, 1) + below(random, 60),
    choice: random() < 0.5 ? 'likeliest' : 'draw',
    mask: {
      alpha: [0, 0.5, 1][below(random, 3)] ?? 0,
      unseen: (['parts', 0, 0.1] as const)[below(random, 3)] ?? 0,
    },
    useStatic: random() < 0.8,
    useOtsu: random() < 0.8,
    useBlur: random() < 0.8,
    penalty: 1 + random(),
    penaltyWindow: below(random, 20),
    repeats: random() < 0.3 ? 'ngram' : 'token',
  };
  const recent = many(below(random, 20), () => below(random, VOCABULARY));
  return { options, proposal: drawProposal(random, most, k, chains), recent };
}

function drawProposal(random: Random, most: number, k: number, chains: number): Proposal {
  const head = () => drawHead(random, k);
  if (chains === 0) return { kind: 'independent', heads: many(most, head) };
  const first = drawHead(random, Math.max(k, chains));
  const rows = Array.from({ length: chains }, (_, row) => [
    { id: first.ids[row] ?? 0, candidates: first },
    ...many(most - 1, head).map((candidates) => ({ id: candidates.ids[0] ?? 0, candidates })),
  ]);
  return { kind: 'chained', chains: rows };
}

function drawHead(random: Random, k: number): Candidates {
  const pool = Array.from({ length: VOCABULARY }, (_, id) => id);
  for (let i = 0; i < k; i++) {
    const j = i + below(random, VOCABULARY - i);
    [pool[i], pool[j]] = [pool[j] ?? 0, pool[i] ?? 0];
  }
  const spread = [0.1, 0.5, 2][below(random, 3)] ?? 0;
  const logits = new Float32Array(k);
  for (let i = 1; i < k; i++) logits[i] = (logits[i - 1] ?? 0) - random() * spread;
  return { ids: Int32Array.from(pool.slice(0, k)), logits, logNormalizer: 3 + random() };
}

function mix(salt: number, ...ids: number[]): number {
  let hash = salt;
  for (const id of ids) {
    hash = Math.imul(hash ^ id, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

function drawTable(random: Random): CooccurrenceTable | undefined {
  const salt = below(random, 2 ** 32);
  const share = below(random, 101);
  const resolution = random() * 0.01;
  const present = random() < 0.8;
  const lift = (...ids: number[]) => {
    const hash = mix(salt, ids.length, ...ids);
    return hash % 100 >= share ? undefined : ((hash >>> 8) & 1023) / 64;
  };
  const unigram = (id: number) => {
    const hash = mix(salt, 1, id);
    return hash % 10 === 0 ? 0 : (1 + ((hash >>> 8) & 1023)) / 4096;
  };
  return present ? { resolution, unigram, pairLift: lift, tripleLift: lift } : undefined;
}

/** Values of three kinds: even, mostly small, mostly 0. */
export function imageCase(seed: number): Float64Array {
  const random = seededRandom(seed);
  const kind = below(random, 3);
  const values = many(1 + below(random, 400), random);
  return Float64Array.from(values, (x) => (kind === 1 ? x ** 8 : kind === 2 && x <= 0.9 ? 0 : x));
}

/** Whole numbers on 1 to 4 axes. */
export function blurCase(seed: number): { shape: number[]; values: number[] } {
  const random = seededRandom(seed);
  const shape = many(1 + below(random, 4), () => 1 + below(random, 5));
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: many(size, () => below(random, 64)) };
}
