import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ModelError } from '../../../src/models/errors';
import type { GgufTensor } from '../../../src/models/gguf';
import { openGguf } from '../../../src/models/gguf';
import { rowCount } from '../../../src/models/tensors';
import type { TensorSpec } from '../../fixtures/gguf-writer';
import { floatTensor, ggufBytes, tokenizerMetadata } from '../../fixtures/gguf-writer';

describe('openGguf', function () {
  this.timeout(30_000);
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'dynamo-gguf-'))));
  after(() => rm(folder, { recursive: true }));

  async function open(content: Uint8Array) {
    const path = join(folder, 'file.gguf');
    await writeFile(path, content);
    return await openGguf(path);
  }
  async function refuses(content: Uint8Array, reason: RegExp) {
    await assert.rejects(open(content), (error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, /is not a usable GGUF file/);
      assert.match(error.message, reason);
      return true;
    });
  }
  function get(tensors: ReadonlyMap<string, GgufTensor>, name: string): GgufTensor {
    const tensor = tensors.get(name);
    assert.ok(tensor);
    return tensor;
  }

  const ramp = floatTensor('w', [4, 3], [...Array(12).keys()]);
  const q8 = (name: string, rows: number): TensorSpec => {
    const data = new Uint8Array(34 * 2 * rows);
    for (let block = 0; block < 2 * rows; block++) {
      data.set([0, 0x3c], block * 34); // scale 1
      data.fill(block, block * 34 + 2, block * 34 + 34);
    }
    return { name, dims: [64, rows], type: 8, data };
  };

  it('reads metadata and tensors', async () => {
    const metadata = { ...tokenizerMetadata('qwen2'), 'a.float': 1.5, 'a.bool': true, 'ü.text': 'é' };
    const file = await open(ggufBytes([ramp, q8('q', 2)], metadata));
    try {
      assert.equal(file.metadata['a.float'], 1.5);
      assert.equal(file.metadata['ü.text'], 'é');
      assert.deepEqual(file.metadata['tokenizer.ggml.merges'], ['a b']);
      const { dims, bytes, type } = get(file.tensors, 'q');
      assert.deepEqual([dims, bytes, type.name], [[64, 2], 136, 'Q8_0']);
    } finally {
      await file.close();
    }
  });

  it('reads any run of rows', async () => {
    const file = await open(ggufBytes([ramp, q8('q', 3)]));
    try {
      const floats = get(file.tensors, 'w');
      assert.deepEqual([...(await file.rows(floats, 1, 2))], [4, 5, 6, 7, 8, 9, 10, 11]);
      const quantised = get(file.tensors, 'q');
      const expected = [2, 3].flatMap((value) => Array<number>(32).fill(value));
      assert.deepEqual([...(await file.rows(quantised, 1, 1))], expected);
      assert.equal(rowCount(quantised), 3);
      await assert.rejects(file.rows(quantised, 2, 2), RangeError);
      await assert.rejects(file.rows(quantised, -1, 1), RangeError);
      await assert.rejects(file.rows(quantised, 0, 1, new Float32Array(63)), RangeError);
    } finally {
      await file.close();
    }
  });

  it('reads a string that lies across the border of two pieces of the header', async () => {
    // The parser reads 2 MB at a time; a filler moves the border through a text behind it.
    for (const filler of [1_999_600, 1_999_760, 1_999_900]) {
      const metadata = { filler: 'x'.repeat(filler), text: 'y'.repeat(200) };
      const file = await open(ggufBytes([ramp], metadata));
      await file.close();
      assert.equal(file.metadata['text'], metadata.text);
    }
  });

  it('never returns text that was cut at such a border', async () => {
    const list = ['x'.repeat(1_999_000), 'y'.repeat(2_000)];
    await refuses(ggufBytes([ramp], { list }), /do not add up/);
  });

  it('refuses what is not GGUF', async () => {
    await refuses(new Uint8Array(0), /only 0 bytes/);
    await refuses(Buffer.from('PK\x03\x04'.padEnd(100)), /does not start with "GGUF"/);
    const old = ggufBytes([ramp]);
    old.writeUInt32LE(1, 4);
    await refuses(old, /version is 1/);
  });

  it('refuses absurd counts before it allocates anything', async () => {
    for (const [at, what] of [
      [8, /claims .* tensors/],
      [16, /claims .* metadata/],
    ] as const) {
      for (const count of [1_000n, 2n ** 40n, 2n ** 64n - 1n]) {
        const content = ggufBytes([ramp]);
        content.writeBigUInt64LE(count, at);
        await refuses(content, what);
      }
    }
  });

  it('refuses a length in its header that leads out of the file, rather than wait for its bytes', async () => {
    const whole = Buffer.from(ggufBytes([ramp], { text: 'some text', list: ['a', 'bc'] }));
    const lengths = ['text', 'some text', 'list', 'bc', 'w'].map((word) => whole.indexOf(word) - 8);
    for (const at of lengths) {
      assert.ok(at >= 16);
      for (const length of [BigInt(whole.length), 8_800_000n, 2n ** 40n, 2n ** 64n - 1n]) {
        const content = Buffer.from(whole);
        content.writeBigUInt64LE(length, at);
        await refuses(content, /length that leads out of the file/);
      }
    }
  });

  it('refuses shapes, types and offsets that the file cannot hold', async () => {
    const tensor = (change: Partial<TensorSpec>) => ggufBytes([{ ...ramp, ...change }]);
    await refuses(tensor({ dims: [4, 5] }), /truncated or damaged/);
    await refuses(tensor({ dims: [4, 2n ** 32n] }), /truncated or damaged/);
    await refuses(tensor({ dims: [2 ** 20, 2n ** 32n, 2n ** 32n] }), /truncated or damaged/);
    await refuses(tensor({ dims: [4, 2n ** 63n] }), /dimension/);
    await refuses(tensor({ dims: [4, 0] }), /shape/);
    await refuses(tensor({ dims: [] }), /shape/);
    await refuses(tensor({ dims: [1, 1, 1, 1, 1] }), /shape/);
    await refuses(tensor({ dims: [2n ** 31n] }), /cannot hold/);
    await refuses(tensor({ type: 8 }), /Q8_0 cannot hold/);
    await refuses(tensor({ type: 99 }), /has type 99; supported are F32/);
    await refuses(tensor({ offset: 32n }), /truncated or damaged/);
    await refuses(tensor({ offset: 2n ** 63n }), /truncated or damaged/);
    await refuses(ggufBytes([ramp, ramp]), /two tensors called "w"/);
    await refuses(ggufBytes([ramp], { 'general.alignment': 33 }), /alignment/);
  });

  it('refuses a file cut anywhere', async () => {
    const whole = ggufBytes([ramp, q8('q', 1)], { text: 'some text', list: ['a', 'bc'] });
    const content = whole.subarray(0, whole.length - 28); // without the padding at the end
    const file = await open(content);
    await file.close();
    for (let length = 0; length < content.length; length += 7) {
      await assert.rejects(open(content.subarray(0, length)), ModelError, `cut at ${length}`);
    }
  });

  it('survives any damage to its header with an error or a sound index', async () => {
    const whole = ggufBytes([ramp, q8('q', 1)], { text: 'some text', list: ['a', 'bc'], n: 3 });
    const damage = fc.array(fc.tuple(fc.nat(250), fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const content = Buffer.from(whole);
        for (const [at, value] of changes) content[at] = value;
        try {
          const file = await open(content);
          await file.close();
          for (const { offset, bytes } of file.tensors.values()) {
            assert.ok(offset >= 0 && offset + bytes <= content.length);
          }
        } catch (error) {
          assert.ok(error instanceof ModelError, String(error));
        }
      }),
      { numRuns: 100 },
    );
  });
});
