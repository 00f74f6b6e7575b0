/** Arbitrary proposals, tables and options for property tests of decisions. */
import fc from 'fast-check';
import type { CooccurrenceTable } from '../../../src/decoding/cooccurrence';
import type { FastOptions } from '../../../src/decoding/fast-options';
import type { Candidates, Proposal } from '../../../src/decoding/proposal';
import { tableOf } from '../../fixtures/naive-decision';

/** Few tokens, so that heads share them and tables know them. */
const VOCABULARY = 13;
const unit = fc.double({ min: 0, max: 1, noNaN: true });

const anyHead: fc.Arbitrary<Candidates> = fc
  .record({
    ids: fc.uniqueArray(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 7 }),
    drops: fc.array(fc.constantFrom(0, 0.1, 0.5, 2, 30, Infinity), { minLength: 7, maxLength: 7 }),
  })
  .map(({ ids, drops }) => {
    const logits = new Float32Array(ids.length);
    for (let i = 1; i < ids.length; i++) logits[i] = (logits[i - 1] ?? 0) - (drops[i] ?? 0);
    return { ids: Int32Array.from(ids), logits, logNormalizer: 1 };
  });

const anyChains = fc
  .record({
    first: anyHead,
    rest: fc.array(fc.array(anyHead, { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    }),
    length: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ first, rest, length }): Proposal => {
    const rows = rest.slice(0, first.ids.filter((_, i) => (first.logits[i] ?? 0) > -9).length);
    const chains = rows.map((heads, row) => [
      { id: first.ids[row] ?? 0, candidates: first },
      ...heads
        .slice(0, length - 1)
        .map((candidates) => ({ id: candidates.ids[0] ?? 0, candidates })),
    ]);
    return { kind: 'chained', chains };
  });

export const anyProposal: fc.Arbitrary<Proposal> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(anyHead, { minLength: 1, maxLength: 4 })
      .map((heads): Proposal => ({ kind: 'independent', heads })),
  },
  { weight: 1, arbitrary: anyChains },
);

const anyLift = fc.oneof(fc.constant(0), unit, fc.double({ min: 1, max: 1000, noNaN: true }));
const anyGram = (length: number) =>
  fc.tuple(fc.array(fc.nat(VOCABULARY - 1), { minLength: length, maxLength: length }), anyLift);

export const anyTable: fc.Arbitrary<CooccurrenceTable> = fc
  .record({
    resolution: fc.constantFrom(0, 1e-4, 0.1),
    unigrams: fc.array(fc.constantFrom(0, 1e-3, 0.05, 0.4), { maxLength: VOCABULARY }),
    pairs: fc.array(anyGram(2), { maxLength: 60 }),
    triples: fc.array(anyGram(3), { maxLength: 60 }),
    dense: fc.boolean(),
  })
  .map(({ resolution, unigrams, pairs, triples, dense }) => {
    const lifts = new Map([...pairs, ...triples].map(([ids, lift]) => [ids.join(), lift]));
    for (const [ids, lift] of dense ? triples : []) {
      lifts.set(ids.slice(0, 2).join(), lift);
      lifts.set(ids.slice(1).join(), 2);
    }
    return tableOf(resolution, unigrams, lifts);
  });

export const anyOptions: fc.Arbitrary<FastOptions> = fc.record({
  epsilon: fc.oneof(fc.constantFrom(0, 0.05, 0.1, 0.5, 1), unit),
  maxOrder: fc.integer({ min: 1, max: 4 }),
  temperature: fc.constantFrom(0.3, 0.7, 1, 3),
  topK: fc.constantFrom(3, 4, 50),
  choice: fc.constantFrom('likeliest', 'draw'),
  seed: fc.integer(),
  mask: fc.record({
    alpha: fc.constantFrom(0, 0.5, 1, 2),
    unseen: fc.constantFrom<'parts' | number>('parts', 0, 0.5),
  }),
  useStatic: fc.boolean(),
  useOtsu: fc.boolean(),
  useBlur: fc.boolean(),
  penalty: fc.constantFrom(1, 1.1, 3),
  penaltyWindow: fc.nat(10),
  repeats: fc.constantFrom('token', 'ngram'),
});
