import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { loadTokenizer, TokenTextStream } from '../../../src/engine/tokenizer';
import { tokenizerFromGguf, type Pretokenizer } from '../../../src/models/tokenizer-json';
import { CONTROLS, smallMetadata, smallTokenizer } from '../../fixtures/tokenizer-small';

const pretokenizers: Pretokenizer[] = ['qwen2', 'smollm'];

describe('tokenizer', function () {
  this.timeout(60_000);

  it('merges in order of rank', () => {
    const tokenizer = smallTokenizer();
    const pieces = (text: string) => tokenizer.encode(text).map((id) => tokenizer.decode([id]));
    assert.deepEqual(pieces('foo return the'), ['foo', ' return', ' the']);
    assert.deepEqual(pieces('     foo()'), ['    ', ' foo', '()']);
    assert.deepEqual(pieces('retur\n\nn'), ['retu', 'r', '\n\n', 'n']);
  });

  it('splits digits one by one', () => {
    for (const pre of pretokenizers) assert.equal(smallTokenizer(pre).encode('2026').length, 4);
  });

  it('keeps control-token look-alikes as text', () => {
    const tokenizer = smallTokenizer();
    const ids = tokenizer.encode(CONTROLS.join(''));
    assert.equal(tokenizer.decode(ids), CONTROLS.join(''));
    for (const name of CONTROLS) {
      const id = tokenizer.control(name);
      assert.ok(id !== undefined && !ids.includes(id));
      assert.equal(tokenizer.bytes(id).length, 0);
    }
  });

  it('gives user-defined tokens the bytes of their name and unknown ids none', () => {
    const tokenizer = smallTokenizer();
    const id = tokenizer.control('<tool_call>');
    assert.ok(id !== undefined);
    assert.equal(tokenizer.decode([id]), '<tool_call>');
    assert.equal(tokenizer.vocabularySize, id + 1);
    assert.equal(tokenizer.bytes(tokenizer.vocabularySize).length, 0);
    assert.throws(() => tokenizer.bytes(-1), RangeError);
  });

  for (const pre of pretokenizers) {
    it(`decodes what it encoded (${pre})`, () => {
      const tokenizer = smallTokenizer(pre);
      const pieces = fc.constantFrom('foo', ' ', '\n', '\r\n', 'é', '中', '👩‍👧', '\t', '()');
      const mixed = fc.array(pieces).map((parts) => parts.join(''));
      fc.assert(
        fc.property(fc.oneof(fc.string({ unit: 'binary' }), mixed), (raw) => {
          const text = raw.normalize('NFC');
          assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
        }),
      );
    });
  }

  it('streams text without half characters, and the same text in the end', () => {
    const tokenizer = smallTokenizer();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (raw) => {
        const text = raw.normalize('NFC');
        const stream = new TokenTextStream(tokenizer);
        let shown = '';
        for (const id of tokenizer.encode(text)) {
          shown += stream.push(id);
          assert.ok(text.startsWith(shown));
        }
        assert.equal(shown + stream.end(), text);
      }),
    );
  });

  it('shows an unfinished character as U+FFFD only at the end', () => {
    const tokenizer = smallTokenizer();
    const stream = new TokenTextStream(tokenizer);
    const [first = 0, second = 0] = tokenizer.encode('😀');
    assert.equal(stream.push(first) + stream.push(second), '');
    assert.equal(stream.end(), '\ufffd');
    assert.equal(tokenizer.decode(tokenizer.encode('a')), 'a');
  });

  it('encodes 100,000 characters of any one kind', () => {
    const tokenizer = smallTokenizer();
    for (const unit of ['a', ' ', '\n', '中', '👨‍👩‍👧‍👦', '= ', 'e\u0301']) {
      const text = unit.repeat(Math.ceil(100_000 / unit.length)).normalize('NFC');
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }
  });

  it('drops bytes that the vocabulary lacks before it merges', () => {
    const metadata = smallMetadata();
    const json = tokenizerFromGguf(metadata, 'qwen2');
    const vocab = Object.fromEntries(Object.entries(json.model.vocab).filter(([t]) => t !== '*'));
    const text = JSON.stringify({ ...json, model: { ...json.model, vocab } });
    return withFile(text, async (path) => {
      const tokenizer = await loadTokenizer(path);
      assert.deepEqual(tokenizer.encode('(*)'), tokenizer.encode('()'));
    });
  });

  it('says which file is damaged or missing', async () => {
    await assert.rejects(loadTokenizer(join(tmpdir(), 'no-such-tokenizer.json')), /cannot be read/);
    for (const text of ['', '{}', '[1]', '{"model":{"type":"Unigram"}}']) {
      await withFile(text, (path) => assert.rejects(loadTokenizer(path), /is damaged. Install/));
    }
  });
});

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
  try {
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, text);
    await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('tokenizer from GGUF metadata', () => {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  const withValue = (name: string, value: unknown) => ({ ...smallMetadata(), [key(name)]: value });
  const list = (name: string) => smallMetadata()[key(name)] as unknown[];
  const replaced = (name: string, index: number, value: unknown) =>
    withValue(name, list(name).with(index, value));

  const hostile: [string, Record<string, unknown>, RegExp][] = [
    ['no metadata', {}, /ggml\.model is undefined/],
    ['another model', withValue('model', 'llama'), /ggml\.model is "llama"/],
    ['another split', withValue('pre', 'smollm'), /ggml\.pre is "smollm".*says "qwen2"/],
    ['no tokens', withValue('tokens', undefined), /ggml\.tokens is missing/],
    ['tokens that are a string', withValue('tokens', 'abc'), /ggml\.tokens is missing/],
    ['an empty list', withValue('tokens', []), /ggml\.tokens is missing/],
    ['a number as token', replaced('tokens', 3, 7), /ggml\.tokens has 7 at 3/],
    ['an empty token', replaced('tokens', 3, ''), /ggml\.tokens has "" at 3/],
    ['a huge token', replaced('tokens', 3, 'a'.repeat(5000)), /at 3, where a string/],
    ['a token twice', replaced('tokens', 3, 'a'), /lists "a" twice/],
    ['a token that is no byte-level text', replaced('tokens', 3, 'a b'), /not byte-level/],
    ['too few types', withValue('token_type', [1, 1]), /ggml\.token_type is not a list of/],
    ['an unknown type', replaced('token_type', 2, 9), /ggml\.token_type has 9 at 2/],
    ['a big integer as type', replaced('token_type', 2, 1n), /ggml\.token_type has 1 at 2/],
    [
      'no text at all',
      withValue(
        'token_type',
        list('tokens').map(() => 5),
      ),
      /no text token/,
    ],
    ['no merges', withValue('merges', null), /ggml\.merges is missing/],
    ['a merge of one part', replaced('merges', 0, 're'), /ggml\.merges has "re" at 0/],
    ['a merge of three parts', replaced('merges', 0, 'r e t'), /ggml\.merges has "r e t" at 0/],
    ['a merge to no token', replaced('merges', 0, 'x y'), /ggml\.merges has "x y" at 0/],
    ['a merge twice', replaced('merges', 3, 't u'), /lists "t u" twice/],
  ];
  for (const [name, metadata, message] of hostile) {
    it(`refuses ${name}`, () => {
      assert.throws(() => tokenizerFromGguf(metadata, 'qwen2'), message);
    });
  }

  it('refuses an unknown pretokenizer', () => {
    assert.throws(() => tokenizerFromGguf(smallMetadata(), 'toString' as Pretokenizer), /unknown/);
  });

  it('takes a token named like an object member', () => {
    const json = tokenizerFromGguf(smallMetadata(), 'qwen2');
    assert.equal(Object.keys(json.model.vocab).length, list('tokens').length - CONTROLS.length - 2);
    const odd = { ...smallMetadata() };
    odd[key('tokens')] = [...list('tokens'), '__proto__'];
    odd[key('token_type')] = [...list('token_type'), 1];
    const { vocab } = tokenizerFromGguf(odd, 'qwen2').model;
    assert.ok(Object.hasOwn(vocab, '__proto__'));
    assert.equal(JSON.parse(JSON.stringify(vocab))['__proto__'], list('tokens').length);
  });

  it('leaves padding out and marks control tokens as special', () => {
    const { added_tokens: added } = tokenizerFromGguf(smallMetadata(), 'qwen2');
    assert.deepEqual(
      added.map(({ content, special }) => [content, special]),
      [...CONTROLS.map((name) => [name, true]), ['<tool_call>', false]],
    );
  });
});
