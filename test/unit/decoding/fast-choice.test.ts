import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ModelOutputError } from '../../../src/decoding/choose';
import { createFastChooser, type Decision } from '../../../src/decoding/fast-choice';
import type { FastOptions } from '../../../src/decoding/fast-options';
import type { Candidates, Proposal } from '../../../src/decoding/proposal';
import { seededRandom } from '../../../src/decoding/random';
import { assertDistribution } from '../../fixtures/chi-square';
import { decideNaively, tableOf } from '../../fixtures/naive-decision';
import { predict } from '../../fixtures/scripted-stepper';
import { anyOptions, anyProposal, anyTable } from './arbitrary';

/** Greedy at temperature 1, with every part off but the static threshold. */
const bare: FastOptions = {
  epsilon: 0.5,
  temperature: 1,
  choice: 'likeliest',
  useOtsu: false,
  penalty: 1,
};

const decide = (options: Partial<FastOptions>, proposal: Proposal, recent: number[] = []) =>
  createFastChooser({ ...bare, ...options })(proposal, recent);

const independent = (...heads: Candidates[]): Proposal => ({ kind: 'independent', heads });
const idsOf = ({ choices }: Decision) => choices.map(({ id }) => id);
const outcomes = ({ tried }: Decision) => tried.map(({ order, outcome }) => `${order} ${outcome}`);

const sure = (id: number) => predict([id, 0.9], [id + 1, 0.1]);
const unsure = (id: number) => predict([id, 0.4], [id + 1, 0.35], [id + 2, 0.25]);

describe('createFastChooser', () => {
  it('emits as many tokens as the heads are sure of', () => {
    assert.deepEqual(idsOf(decide({}, independent(sure(10), sure(20), sure(30)))), [10, 20, 30]);
    assert.deepEqual(idsOf(decide({}, independent(sure(10), sure(20), unsure(30)))), [10, 20, 30]);
    assert.deepEqual(idsOf(decide({}, independent(sure(10), unsure(20), unsure(30)))), [10]);
  });

  it('tells why it backed off', () => {
    const decision = decide({ epsilon: 0.8 }, independent(sure(10), sure(20), unsure(30)));
    assert.deepEqual(idsOf(decision), [10, 20]);
    assert.deepEqual(outcomes(decision), ['3 empty', '2 chosen']);
    assert.ok(Math.abs(decision.joint - 0.81) < 1e-6);
    const [third, second] = decision.tried;
    assert.ok(Math.abs((third?.staticThreshold ?? 0) - 0.64) < 1e-12);
    assert.deepEqual([second?.survivors, second?.staticThreshold], [1, 0.8]);
  });

  it("reports each token's own probability at temperature 1, among all tokens", () => {
    const partial = { ...sure(20), logNormalizer: Math.log(2) };
    const { choices } = decide({ temperature: 0.3 }, independent(sure(10), partial));
    for (const [i, expected] of [0.9, 0.45].entries()) {
      assert.ok(Math.abs((choices[i]?.probability ?? 0) - expected) < 1e-6);
    }
  });

  it('backs off when the penalty leaves nothing above the threshold', () => {
    const proposal = independent(sure(10), sure(20));
    const options = { epsilon: 0.8, penalty: 1.1 };
    assert.deepEqual(outcomes(decide(options, proposal, [20])), ['2 low']);
    assert.deepEqual(outcomes(decide(options, proposal, [5])), ['2 chosen']);
    assert.deepEqual(outcomes(decide({ ...options, penaltyWindow: 1 }, proposal, [20, 5])), [
      '2 chosen',
    ]);
  });

  it('reads repetition by n-gram when asked to', () => {
    const proposal = independent(sure(10), sure(20));
    const options = { epsilon: 0.8, penalty: 1.1, repeats: 'ngram' } as const;
    assert.deepEqual(outcomes(decide(options, proposal, [20, 10, 7])), ['2 chosen']);
    assert.deepEqual(outcomes(decide(options, proposal, [7, 10, 20])), ['2 low']);
  });

  it('lets the mask forbid and allow', () => {
    const proposal = independent(predict([1, 0.5], [2, 0.5]), predict([3, 0.5], [4, 0.5]));
    const lifts = new Map([['2,3', 3.5]]);
    const table = tableOf(0, [0, 0.1, 0.1, 0.1, 0.1], lifts);
    const decision = decide({ table, mask: { unseen: 0 } }, proposal);
    assert.deepEqual(idsOf(decision), [2, 3]);
    assert.ok(Math.abs(decision.joint - 0.875) < 1e-6);
    assert.deepEqual(idsOf(decide({ table, mask: { alpha: 0 } }, proposal)).length, 1);
  });

  it('ignores a mask that leaves nothing at ε_b = 0, and only there', () => {
    const proposal = independent(sure(10), sure(20), sure(30));
    const masked = { table: tableOf(0, [], new Map()), mask: { unseen: 0 } };
    const all = decide({ ...masked, epsilon: 0 }, proposal);
    assert.deepEqual(idsOf(all), [10, 20, 30]);
    assert.equal(all.tried[0]?.unmasked, true);
    assert.deepEqual(outcomes(decide({ ...masked, epsilon: 0.01 }, proposal)), [
      '3 empty',
      '2 empty',
    ]);
  });

  it("drops what Otsu's threshold separates from the best", () => {
    const proposal = independent(sure(10), sure(20), sure(30));
    const { tried } = decide({ epsilon: 0, useOtsu: true }, proposal);
    assert.equal(tried[0]?.survivors, 1);
    assert.ok((tried[0]?.adaptiveThreshold ?? 0) > 0.1);
  });

  it('draws in proportion to what is left', () => {
    const proposal = independent(predict([0, 0.6], [1, 0.4]), predict([0, 0.7], [1, 0.3]));
    const choose = createFastChooser({ ...bare, epsilon: 0.2, choice: 'draw', seed: 5 });
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 5000; i++) {
      const [a = 0, b = 0] = idsOf(choose(proposal, []));
      counts[2 * a + b] = (counts[2 * a + b] ?? 0) + 1;
    }
    const sum = 0.42 + 0.28;
    assertDistribution(counts, [0.42 / sum, 0, 0.28 / sum, 0]); // 0.18 and 0.12 are below 0.2.
  });

  it('draws head 1 alone at ε_b = 1', () => {
    const choose = createFastChooser({ ...bare, epsilon: 1, choice: 'draw', topK: 2 });
    const counts = [0, 0, 0];
    for (let i = 0; i < 5000; i++) {
      const [id = 0] = idsOf(choose(independent(unsure(0), sure(7)), []));
      counts[id] = (counts[id] ?? 0) + 1;
    }
    assertDistribution(counts, [0.4 / 0.75, 0.35 / 0.75, 0]);
  });

  describe('with chained heads', () => {
    const chains = [
      [
        { id: 1, candidates: predict([1, 0.5], [2, 0.4]) },
        { id: 3, candidates: predict([3, 0.5], [4, 0.4]) },
        { id: 5, candidates: predict([5, 0.9], [6, 0.1]) },
      ],
      [
        { id: 2, candidates: predict([1, 0.5], [2, 0.4]) },
        { id: 7, candidates: predict([7, 1], [8, 0]) },
      ],
    ];

    it('multiplies along the chain, and prefers the row that is likelier as a whole', () => {
      const decision = decide({ epsilon: 0.4 }, { kind: 'chained', chains });
      assert.deepEqual(idsOf(decision), [1, 3, 5], '5/9 · 5/9 · 0.9 ≥ 0.16');
      const pair = decide({ epsilon: 0.4, maxOrder: 2 }, { kind: 'chained', chains });
      assert.deepEqual(idsOf(pair), [2, 7], '4/9 · 1 > 5/9 · 5/9');
      assert.ok(Math.abs(pair.joint - 4 / 9) < 1e-6);
    });

    it('ends a chain at a token that is not among the top k', () => {
      const decision = decide({ epsilon: 0, topK: 1 }, { kind: 'chained', chains });
      assert.deepEqual(idsOf(decision), [1, 3, 5]);
      const only = { kind: 'chained', chains: chains.slice(1) } as const;
      assert.deepEqual(idsOf(decide({ epsilon: 0, topK: 1 }, only)), [1]);
    });

    it('uses no mask unless asked to', () => {
      const table = tableOf(0, [], new Map());
      const proposal: Proposal = { kind: 'chained', chains };
      const literal = { table, epsilon: 0.4 };
      assert.equal(idsOf(decide({ ...literal, mask: { unseen: 0 } }, proposal)).length, 3);
      assert.equal(
        idsOf(decide({ ...literal, mask: { unseen: 0, alpha: 1 } }, proposal)).length,
        1,
      );
    });
  });

  describe('whatever is proposed', () => {
    const anyCase = fc.record({
      options: anyOptions,
      proposal: anyProposal,
      table: anyTable,
      recent: fc.array(fc.nat(12), { maxLength: 10 }),
    });

    it('decides to the bit like the slow reference', () => {
      fc.assert(
        fc.property(anyCase, ({ options, proposal, table, recent }) => {
          const settings = { ...options, table };
          const uniform = seededRandom(options.seed ?? 0)();
          const expected = decideNaively(settings, proposal, recent, uniform);
          assert.deepEqual(createFastChooser(settings)(proposal, recent), expected);
        }),
        { numRuns: 600 },
      );
    });

    it('remembers nothing of the decisions before', () => {
      fc.assert(
        fc.property(fc.array(anyCase, { minLength: 2, maxLength: 4 }), (cases) => {
          const { options, table } = cases[0] ?? { options: bare, table: undefined };
          const settings: FastOptions = { ...options, table, choice: 'likeliest' };
          const choose = createFastChooser(settings);
          for (const { proposal, recent } of cases) {
            assert.deepEqual(
              choose(proposal, recent),
              createFastChooser(settings)(proposal, recent),
            );
          }
        }),
      );
    });

    const orders = (proposal: Proposal) =>
      proposal.kind === 'independent' ? proposal.heads.length : (proposal.chains[0]?.length ?? 0);

    it('emits all tokens at ε_b = 0, one at 1, and never more than asked for', () => {
      fc.assert(
        fc.property(anyCase, ({ options, proposal, table, recent }) => {
          const count = (changes: Partial<FastOptions>) =>
            createFastChooser({ ...options, table, ...changes })(proposal, recent).choices.length;
          const most = Math.min(orders(proposal), options.maxOrder ?? 4);
          assert.equal(count({ epsilon: 0 }), most);
          assert.equal(count({ epsilon: 1 }), 1);
          assert.ok(count({}) <= most);
        }),
      );
    });

    it('does not see a table at α_c = 0', () => {
      fc.assert(
        fc.property(anyCase, ({ options, proposal, table, recent }) => {
          const settings = { ...options, mask: { ...options.mask, alpha: 0 } };
          assert.deepEqual(
            createFastChooser({ ...settings, table })(proposal, recent),
            createFastChooser(settings)(proposal, recent),
          );
        }),
      );
    });
  });

  it('decides to the bit like the slow reference with 50 candidates, and with 22 of four heads', () => {
    const head = (seed: number, k: number): Candidates => {
      const random = seededRandom(seed);
      const logits = Float32Array.from({ length: k }, () => -12 * random())
        .sort()
        .reverse();
      return {
        ids: Int32Array.from({ length: k }, (_, i) => (i * 7 + seed) % 97),
        logits,
        logNormalizer: 1,
      };
    };
    const random = seededRandom(8);
    const lifts = new Map<string, number>();
    for (let a = 0; a < 97; a++) {
      for (let b = 0; b < 97; b++) if (random() < 0.2) lifts.set(`${a},${b}`, 20 * random());
    }
    const unigrams = Array.from({ length: 97 }, () => random() / 50);
    const table = tableOf(1e-4, unigrams, lifts);
    const check = (proposal: Proposal, options: FastOptions) => {
      const expected = decideNaively({ table, ...options }, proposal, [1, 2], seededRandom(0)());
      assert.deepEqual(createFastChooser({ table, ...options })(proposal, [1, 2]), expected);
    };
    const three = independent(head(1, 50), head(2, 50), head(3, 20));
    check(three, { epsilon: 0 });
    check(three, { epsilon: 0.1 });
    const four = independent(head(4, 24), head(5, 24), head(6, 4), head(7, 3));
    check(four, { epsilon: 0 });
  });

  it('rejects options that make no sense', () => {
    const wrong: Partial<FastOptions>[] = [
      { epsilon: -0.1 },
      { epsilon: 1.1 },
      { epsilon: NaN },
      { temperature: 0 },
      { temperature: NaN },
      { topK: 0 },
      { topK: 2.5 },
      { maxOrder: 5 },
      { penalty: 0.9 },
      { penalty: Infinity },
      { penaltyWindow: -1 },
      { table: tableOf(0, [], new Map()), mask: { alpha: -1 } },
      { table: tableOf(0, [], new Map()), mask: { alpha: NaN } },
      { table: tableOf(0, [], new Map()), mask: { unseen: NaN } },
    ];
    for (const options of wrong) {
      assert.throws(() => createFastChooser({ ...bare, ...options }), RangeError);
    }
  });

  const broken: Record<string, Candidates> = {
    'NaN logit': { ...sure(1), logits: Float32Array.of(0, NaN) },
    'infinite logit': { ...sure(1), logits: Float32Array.of(Infinity, 0) },
    'all masked': { ...sure(1), logits: Float32Array.of(-Infinity, -Infinity) },
    'logits out of order': { ...sure(1), logits: Float32Array.of(0, 1) },
    'NaN normaliser': { ...sure(1), logNormalizer: NaN },
    'no candidates': predict(),
    'too few logits': { ...sure(1), logits: Float32Array.of(0) },
    'negative id': predict([-1, 0.5]),
  };
  for (const [name, head] of Object.entries(broken)) {
    it(`says so when a head is broken: ${name}`, () => {
      assert.throws(() => decide({}, independent(sure(1), head)), ModelOutputError);
      const chains = [[{ id: 1, candidates: head }]];
      assert.throws(() => decide({}, { kind: 'chained', chains }), ModelOutputError);
    });
  }

  it('says so when nothing is proposed', () => {
    assert.throws(() => decide({}, independent()), ModelOutputError);
    assert.throws(() => decide({}, { kind: 'chained', chains: [] }), ModelOutputError);
    assert.throws(() => decide({}, { kind: 'chained', chains: [[]] }), ModelOutputError);
  });
});
