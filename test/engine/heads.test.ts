/**
 * Heads of each kind on ONNX Runtime: whatever way their cache came about, they say what a run of one
 * row after the other says (test/fixtures/heads/, by training/goldens/heads.py).
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { decode, type DecodeOptions } from '../../src/decoding/decode';
import { DynamicDrafter } from '../../src/decoding/drafter';
import { modelFiles } from '../../src/engine/client';
import { HeadsSession, type StemSource } from '../../src/engine/heads';
import { TrunkSession } from '../../src/engine/session';
import { loadTokenizer } from '../../src/engine/tokenizer';
import goldens from '../fixtures/heads/goldens.json';
import { installed, never } from './installed';

const OPTIONS = { threads: 1, contextLength: 384 };

/** A trunk that a test can set to any text. */
class Text implements StemSource {
  tokens: readonly number[] = [];
  stemRows = new Float32Array();

  constructor(private readonly hidden: number) {}

  stems(from: number, to: number): Float32Array {
    return this.stemRows.subarray(from * this.hidden, to * this.hidden);
  }
}

for (const golden of goldens) {
  const kind = golden.kind === 'independent' ? 'independent' : 'chained';
  const { depth, provisional, hidden, ids, expected } = golden;
  const stems = new Float32Array(Uint8Array.from(Buffer.from(golden.stems, 'base64')).buffer);

  describe(`${golden.kind} heads`, () => {
    let heads: HeadsSession;
    let text: Text;
    const graph = join('test', 'fixtures', 'heads', `${golden.kind}.onnx`);

    beforeEach(async () => {
      text = new Text(hidden);
      heads = await HeadsSession.open(graph, { kind, depth, provisional }, text, OPTIONS);
    });
    afterEach(() => heads.close());

    /** Asks behind `place` of the text, whose beginning may have been another one. */
    async function assertSays(place: number, what: string): Promise<void> {
      const golden = expected.find((each) => each.place === place);
      assert.ok(golden);
      text.tokens = ids.slice(0, place + 1);
      text.stemRows = stems;
      const links = await heads.propose(ids[place + 1] ?? 0, never);
      assert.deepEqual(
        links.map(({ id }) => id),
        golden.chosen,
        what,
      );
      for (const [i, { candidates }] of links.entries()) {
        assert.deepEqual([...candidates.ids.subarray(0, 5)], golden.ids[i], what);
        const logits = [...candidates.logits.subarray(0, 5), candidates.logNormalizer];
        const wanted = [...(golden.logits[i] ?? []), golden.normalizers[i] ?? NaN];
        for (const [k, logit] of logits.entries()) {
          assert.ok(Math.abs(logit - (wanted[k] ?? NaN)) < 2e-3, `${what}: ${logit}`);
        }
      }
    }

    it('say the same after one run over the whole text', async () => {
      for (const { place } of expected) {
        await heads.close();
        heads = await HeadsSession.open(graph, { kind, depth, provisional }, text, OPTIONS);
        await assertSays(place, `place ${place} at once`);
      }
    });

    it('say the same from place to place, forwards and back', async () => {
      const places = expected.map(({ place }) => place);
      for (const place of [...places, ...places.toReversed(), ...places]) {
        await assertSays(place, `place ${place} in turn`);
      }
    });

    it('forget what another text and another next token left', async () => {
      await assertSays(129, 'at first');
      text.tokens = ids.slice(0, 200).map((id, place) => (place < 100 ? id : (id + 1) % 300));
      text.stemRows = stems.map((value, i) => (i < 100 * hidden ? value : -value));
      await heads.propose(7, never);
      await assertSays(129, 'after another text');
      text.tokens = ids.slice(0, 130);
      await heads.propose(((ids[130] ?? 0) + 1) % 300, never);
      await assertSays(129, 'after another next token');
      assert.ok(heads.behind() <= 1 + provisional);
    });

    it('forget a text that differs in its first token alone', async () => {
      text.tokens = ids.slice(0, 130).map((id, place) => (place === 0 ? id + 1 : id));
      text.stemRows = stems.map((value) => -value);
      await heads.propose(ids[130] ?? 0, never);
      await assertSays(129, 'after it');
    });

    it('may rest on the latest rows alone, and go on from there', async () => {
      text.stemRows = stems;
      const ask = async (place: number, most: number) => {
        text.tokens = ids.slice(0, place + 1);
        return await heads.propose(ids[place + 1] ?? 0, never, most);
      };
      // From place 101 on either way: 30 rows at once, or 20 and then ten more.
      const atOnce = await ask(130, 30);
      await heads.close();
      heads = await HeadsSession.open(graph, { kind, depth, provisional }, text, OPTIONS);
      await ask(120, 20);
      assert.ok(heads.behind(20) <= 1 + provisional);
      assert.deepEqual(await ask(130, 20), atOnce);
      assert.deepEqual(await ask(130, 20), atOnce, 'asked again');

      text.tokens = ids.slice(0, 200).map((id, place) => (place === 3 ? id + 1 : id));
      assert.equal(heads.behind(20), 20, 'another text, though its end is the same');
      text.tokens = ids.slice(0, 6);
      assert.equal(heads.behind(20), 6, 'a text shorter than what is missing');
      await assertSays(129, 'all rows, after all that');
    });

    it('stay sound when they are cancelled', async () => {
      const controller = new AbortController();
      controller.abort(new Error('cancelled'));
      text.tokens = ids.slice(0, 256);
      text.stemRows = stems;
      await assert.rejects(heads.propose(ids[256] ?? 0, controller.signal), /cancelled/);
      await assertSays(255, 'after a cancellation');
    });

    it('are refused under another description', async () => {
      const other = kind === 'chained' ? 'independent' : 'chained';
      for (const wrong of [
        { kind: other, depth, provisional },
        { kind, depth: depth + 1, provisional },
      ] as const) {
        await assert.rejects(HeadsSession.open(graph, wrong, text, OPTIONS), /token heads/);
      }
    });
  });
}

describe('decoding with every heads that is installed', () => {
  const PROMPTS = [
    'def binary_search(values, wanted):\n    """Index of wanted in sorted values, or -1."""\n',
    'The quick brown fox jumps over the lazy dog. The quick brown fox',
    'for i in range(10):\n    print(i)\nfor j in range(10):\n    print(',
  ];

  for (const id of ['smollm2-135m', 'qwen2.5-coder-0.5b']) {
    it(`${id}: exact mode says what plain decoding says, fast mode as much as it is let`, async () => {
      const model = await installed(id, 'int8');
      const tokenizer = await loadTokenizer(model.tokenizer);
      const names = [...model.heads.sets.map(({ name }) => name), 'none'];
      const options = { threads: 1, contextLength: 512, keepStems: true };
      const trunk = await TrunkSession.open(model, options);
      try {
        for (const name of names) {
          const { heads: files } = modelFiles(model, name);
          const heads = files && (await HeadsSession.open(files.graph, files, trunk, options));
          const drafter = new DynamicDrafter({ proposer: heads });
          const read = async (text: string, more: Partial<DecodeOptions>) => {
            const lengths: number[] = [];
            const tokens: number[] = [];
            const all = { maxTokens: 15, stopTokens: new Set<number>(), drafter, ...more };
            for await (const step of decode(trunk, tokenizer.encode(text), all, never)) {
              lengths.push(step.tokens.length);
              tokens.push(...step.tokens);
            }
            return { tokens, lengths };
          };
          for (const text of PROMPTS) {
            const plain = await read(text, { mode: 'ar' });
            assert.deepEqual((await read(text, { mode: 'exact' })).tokens, plain.tokens, name);
            const drawn = { temperature: 0.8, seed: 3 };
            assert.deepEqual(
              (await read(text, { ...drawn, mode: 'exact' })).tokens,
              (await read(text, { ...drawn, mode: 'ar' })).tokens,
              `${name}, drawn`,
            );
            if (!heads) continue;
            const fast = { proposer: heads, choice: 'likeliest' } as const;
            const one = await read(text, { mode: 'fast', fast: { ...fast, epsilon: 1 } });
            assert.deepEqual(one, plain, `${name}, ε_b = 1`);
            const all = await read(text, { mode: 'fast', fast: { ...fast, epsilon: 0 } });
            assert.deepEqual([...new Set(all.lengths)], [heads.depth + 1], `${name}, ε_b = 0`);
          }
          await heads?.close();
        }
      } finally {
        await trunk.close();
      }
    });
  }
});
