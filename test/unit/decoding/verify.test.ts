import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createChooser, ModelOutputError } from '../../../src/decoding/choose';
import { verify } from '../../../src/decoding/verify';
import { assertDistribution } from '../../fixtures/chi-square';
import { predict } from '../../fixtures/scripted-stepper';

const says = (id: number) => predict([id, 0.9], [99, 0.1]);
const greedy = createChooser();

describe('verify', () => {
  const table: [name: string, drafts: number[], accepted: number, tokens: number[]][] = [
    ['all drafts and one more token', [11, 12], 2, [11, 12, 13]],
    ['a prefix and the right token', [11, 50], 1, [11, 12]],
    ['nothing behind a wrong draft', [50, 12], 0, [11]],
  ];
  const predictions = [11, 12, 13].map(says);
  for (const [name, drafts, accepted, tokens] of table) {
    it(`keeps ${name}`, () => {
      const verified = verify(predictions, drafts, greedy);
      assert.equal(verified.accepted, accepted);
      assert.deepEqual(
        verified.choices.map(({ id }) => id),
        tokens,
      );
      assert.ok(verified.choices.every(({ probability }) => Math.abs(probability - 0.9) < 1e-6));
    });
  }

  it('is plain decoding when there are no drafts', () => {
    assert.deepEqual(verify([says(7)], [], greedy), {
      accepted: 0,
      choices: [{ id: 7, probability: greedy(says(7)).probability }],
    });
  });

  it('gives the text of plain sampling with the same seed, whatever the drafts', () => {
    const nextOf = (tokens: readonly number[]) => {
      const shift = tokens.reduce((hash, token) => (hash * 31 + token) % 5, 0);
      return predict([shift, 0.5], [shift + 1, 0.3], [shift + 2, 0.2]);
    };
    const request = fc.record({
      seed: fc.integer(),
      temperature: fc.constantFrom(0, 0.7, 1.5),
      drafts: fc.array(fc.array(fc.nat(6), { maxLength: 7 }), { minLength: 5, maxLength: 20 }),
    });
    fc.assert(
      fc.property(request, ({ seed, temperature, drafts }) => {
        const drafting = createChooser({ seed, temperature });
        const plain = createChooser({ seed, temperature });
        const tokens: number[] = [];
        for (const draft of drafts) {
          const rows = [[], ...draft.map((_, i) => draft.slice(0, i + 1))];
          const predictions = rows.map((row) => nextOf([...tokens, ...row]));
          tokens.push(...verify(predictions, draft, drafting).choices.map(({ id }) => id));
        }
        const expected: number[] = [];
        while (expected.length < tokens.length) expected.push(plain(nextOf(expected)).id);
        assert.deepEqual(tokens, expected);
      }),
    );
  });

  it('rejects predictions that do not fit the drafts or are none', () => {
    assert.throws(() => verify([says(1)], [1], greedy), ModelOutputError);
    const broken = { ...says(1), logNormalizer: NaN };
    assert.throws(() => verify([broken], [], greedy), ModelOutputError);
  });
});

describe("the base's distribution", () => {
  const base = predict([0, 0.5], [1, 0.3], [2, 0.15], [3, 0.05]);
  const second = predict([2, 0.6], [1, 0.4]);

  for (const draft of [0, 1, 3, 4]) {
    it(`is kept with a temperature, whatever is drafted: ${draft}`, () => {
      for (const { temperature, topK } of [
        { temperature: 1, topK: 50 },
        { temperature: 0.5, topK: 50 },
        { temperature: 1, topK: 2 },
      ]) {
        const weights = [0.5, 0.3, 0.15, 0.05].map((p, i) =>
          i < topK ? p ** (1 / temperature) : 0,
        );
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const choose = createChooser({ temperature, topK, seed: 11 });
        const counts = [0, 0, 0, 0];
        const behind = [0, 0, 0];
        for (let i = 0; i < 8000; i++) {
          const { choices } = verify([base, second], [draft], choose);
          const [first, next] = choices.map(({ id }) => id);
          counts[first ?? 0] = (counts[first ?? 0] ?? 0) + 1;
          if (next !== undefined) behind[next] = (behind[next] ?? 0) + 1;
        }
        assertDistribution(
          counts,
          weights.map((weight) => weight / sum),
        );
        if (draft > 1) continue; // Too seldom accepted to say, or never.
        const powers = [0, 0.4 ** (1 / temperature), 0.6 ** (1 / temperature)];
        const all = powers.reduce((total, weight) => total + weight, 0);
        assertDistribution(
          behind,
          powers.map((weight) => weight / all),
        );
      }
    });
  }
});
