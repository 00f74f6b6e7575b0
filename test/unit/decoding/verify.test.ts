import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createChooser, ModelOutputError } from '../../../src/decoding/choose';
import { seededRandom } from '../../../src/decoding/random';
import { verify, verifySampled, type SampledDraft } from '../../../src/decoding/verify';
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

describe('verifySampled', () => {
  const base = predict([0, 0.5], [1, 0.3], [2, 0.15], [3, 0.05]);
  const second = predict([2, 0.6], [1, 0.4]);
  const drafts: Record<string, number[]> = {
    'close to the base': [0.45, 0.35, 0.1, 0.1],
    'far from the base': [0.05, 0.05, 0.1, 0.8],
    'that knows one token alone': [0, 1, 0, 0],
    'that equals the base': [0.5, 0.3, 0.15, 0.05],
    'about a token that the base does not have': [0.2, 0.1, 0, 0, 0.7],
  };
  const settings = [
    { temperature: 1, topK: 50 },
    { temperature: 0.5, topK: 50 },
    { temperature: 1, topK: 2 },
  ];
  for (const [name, probabilities] of Object.entries(drafts)) {
    it(`keeps the base's distribution with a draft ${name}`, () => {
      for (const { temperature, topK } of settings) {
        const weights = [0.5, 0.3, 0.15, 0.05].map((p, i) =>
          i < topK ? p ** (1 / temperature) : 0,
        );
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const random = seededRandom(11);
        const draw = createChooser({ temperature: 1, seed: 12 });
        const ids = [0, 1, 2, 3, 4];
        const likeliestFirst = ids.toSorted(
          (a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0),
        );
        const drafter = predict(
          ...likeliestFirst.map((id) => [id, probabilities[id] ?? 0] as const),
        );
        const counts = [0, 0, 0, 0, 0];
        for (let i = 0; i < 8000; i++) {
          const draft: SampledDraft = { id: draw(drafter).id, ids, probabilities };
          const { choices } = verifySampled([base, second], [draft], { temperature, topK }, random);
          const first = choices[0]?.id ?? 0;
          counts[first] = (counts[first] ?? 0) + 1;
        }
        assertDistribution(
          counts,
          weights.map((weight) => weight / sum),
        );
      }
    });
  }

  it("draws the token behind accepted drafts from the base's own distribution", () => {
    const random = seededRandom(3);
    const draft: SampledDraft = { id: 0, ids: [0], probabilities: [0.5] };
    const counts = [0, 0, 0];
    for (let i = 0; i < 8000; i++) {
      const sampling = { temperature: 1, topK: 50 };
      const { accepted, choices } = verifySampled([base, second], [draft], sampling, random);
      assert.equal(accepted, 1, 'q ≤ p is always accepted');
      const last = choices[1]?.id ?? 0;
      counts[last] = (counts[last] ?? 0) + 1;
    }
    assertDistribution(counts, [0, 0.4, 0.6]);
  });

  it('rejects predictions that do not fit the drafts or are none', () => {
    const sampling = { temperature: 1, topK: 50 };
    assert.throws(() => verifySampled([], [], sampling, Math.random), ModelOutputError);
    const broken = { ...base, logits: Float32Array.of(NaN, 0, 0, 0) };
    assert.throws(() => verifySampled([broken], [], sampling, Math.random), ModelOutputError);
  });
});
