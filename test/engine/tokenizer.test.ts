/**
 * The installed models' tokenizers against the ids that the `tokenizers` library gives
 * (training/goldens/tokenizer.py).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';

import { loadTokenizer, type EngineTokenizer } from '../../src/engine/tokenizer';
import golden from '../fixtures/tokenizer-golden.json';
import { expandText, type TextSpec } from '../fixtures/tokenizer-texts';
import { installed } from './installed';

type Ids = number[] | { count: number; sha256: string };
interface ModelGolden {
  vocabularySize: number;
  controls: Record<string, number>;
  plain: Record<string, Ids>;
  parsed: Record<string, Ids>;
}

const texts = golden.texts as unknown as Record<string, TextSpec>;
const models = golden.models as unknown as Record<string, ModelGolden | { sameAs: string }>;

function goldenOf(id: string): ModelGolden {
  const found = models[id];
  if (found === undefined) throw new Error(`No golden for ${id}.`);
  return 'sameAs' in found ? goldenOf(found.sameAs) : found;
}

function textOf(name: string): string {
  const spec = texts[name];
  if (spec === undefined) throw new Error(`The golden file has no text "${name}".`);
  return expandText(spec);
}

function assertIds(actual: readonly number[], expected: Ids | undefined): void {
  assert.ok(expected !== undefined);
  if (Array.isArray(expected)) {
    assert.deepEqual(actual, expected);
  } else {
    const sha256 = createHash('sha256').update(actual.join(',')).digest('hex');
    assert.deepEqual({ count: actual.length, sha256 }, expected);
  }
}

describe('installed tokenizers', () => {
  for (const id of Object.keys(models)) {
    describe(id, function () {
      this.timeout(60_000);
      const expected = goldenOf(id);
      let path = '';
      let tokenizer: EngineTokenizer;

      before(async () => {
        path = (await installed(id, 'int8')).tokenizer;
        tokenizer = await loadTokenizer(path);
      });

      for (const name of Object.keys(texts)) {
        it(`gives the reference's ids for: ${name}`, () => {
          assertIds(tokenizer.encode(textOf(name)), expected.plain[name]);
        });
      }

      it('writes a tokenizer.json that parses control tokens as the reference does', () => {
        const json = JSON.parse(readFileSync(path, 'utf8')) as object;
        const parsing = new Tokenizer(json, {});
        for (const [name, ids] of Object.entries(expected.parsed)) {
          assertIds(parsing.encode(textOf(name)).ids, ids);
        }
      });

      it('knows every control token by name, without text of its own', () => {
        assert.equal(tokenizer.vocabularySize, expected.vocabularySize);
        for (const [name, token] of Object.entries(expected.controls)) {
          assert.equal(tokenizer.control(name), token);
          assert.equal(tokenizer.bytes(token).length, 0);
        }
        assert.equal(tokenizer.control('<|no such token|>'), undefined);
      });

      it('decodes what it encoded', () => {
        const normalize = (text: string) => (id.startsWith('qwen') ? text.normalize('NFC') : text);
        // SmolLM2 has no token for some bytes, which its reference drops too.
        const lossy = new Set(['control characters', 'rare planes', 'unassigned and private']);
        for (const name of Object.keys(texts)) {
          if (id.startsWith('smollm') && lossy.has(name)) continue;
          const text = textOf(name);
          assert.equal(tokenizer.decode(tokenizer.encode(text)), normalize(text), name);
        }
      });

      if (id.startsWith('smollm')) return; // It has no token for some bytes.
      it('decodes what it encoded, for any well-formed text', () => {
        fc.assert(
          fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (raw) => {
            const text = raw.normalize('NFC');
            assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
          }),
          { numRuns: 300 },
        );
      });
    });
  }
});
