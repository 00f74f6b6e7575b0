import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelError } from '../../../src/models/errors';
import type { SafetensorsFile } from '../../../src/models/safetensors';
import { openSafetensors } from '../../../src/models/safetensors';
import { HeadsSource } from '../../../src/models/sources';
import { safetensorsBytes, withHeader } from '../../fixtures/safetensors-writer';

const sound = safetensorsBytes(
  {
    shortlist: { dtype: 'I32', shape: [3], values: [7, 0, 70_000] },
    matrix: { dtype: 'I8', shape: [2, 4], values: [1, -2, 3, -127, 127, 0, 5, 6] },
    'matrix.scale': { dtype: 'F32', shape: [2], values: [0.5, 2] },
    norm: { dtype: 'F32', shape: [4], values: [1, 2, 3, 4] },
  },
  { format: 'test' },
);

describe('safetensors files', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dynamo-safetensors-'));
    path = join(folder, 'x.safetensors');
  });
  after(() => rm(folder, { recursive: true }));

  async function using<T>(content: Uint8Array, work: (file: SafetensorsFile) => T | Promise<T>) {
    await writeFile(path, content);
    const file = await openSafetensors(path);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }
  const refused = async (content: Uint8Array, reason: RegExp) => {
    await assert.rejects(
      using(content, () => undefined),
      (error) => error instanceof ModelError && reason.test(error.message),
    );
  };
  const entry = (more: object = {}) => ({ dtype: 'I8', shape: [4], data_offsets: [0, 4], ...more });
  const headed = (header: object, data = 4) => withHeader(JSON.stringify(header), Buffer.alloc(data));

  it('are read tensor by tensor', async () => {
    await using(sound, async (file) => {
      assert.deepEqual({ ...file.metadata }, { format: 'test' });
      const matrix = file.tensors.get('matrix');
      assert.ok(matrix);
      const values = new Int8Array(3);
      await file.read(matrix, 2, values);
      assert.deepEqual([...values], [3, -127, 127]);
      await assert.rejects(file.read(matrix, 6, values), RangeError);
      await assert.rejects(file.read(matrix, -1, values), RangeError);
      await assert.rejects(file.read(matrix, 0, new Float32Array(1)), RangeError);
    });
  });

  it('are sources of dequantised rows and of integers', async () => {
    await using(sound, async (file) => {
      const heads = new HeadsSource(file);
      assert.deepEqual([...heads.tensors.keys()], ['matrix', 'matrix.scale', 'norm']);
      assert.deepEqual([...(await heads.readRows('matrix', 0, 2))], [0.5, -1, 1.5, -63.5, 254, 0, 10, 12]);
      assert.deepEqual([...(await heads.readRows('matrix', 1, 1))], [254, 0, 10, 12]);
      assert.deepEqual([...(await heads.readRows('norm', 0, 1))], [1, 2, 3, 4]);
      assert.deepEqual([...(await heads.integers('shortlist'))], [7, 0, 70_000]);
      await assert.rejects(heads.readRows('matrix', 1, 2), RangeError);
      await assert.rejects(heads.readRows('shortlist', 0, 1), RangeError);
      await assert.rejects(heads.integers('matrix'), ModelError);
    });
  });

  it('with int8 rows need a sound scale for each', async () => {
    const matrix = { dtype: 'I8', shape: [2, 2], values: [1, 2, 3, 4] } as const;
    for (const tensors of [
      { matrix },
      { matrix, 'matrix.scale': { dtype: 'F32', shape: [1], values: [1] } as const },
      { matrix, 'matrix.scale': { dtype: 'I32', shape: [2], values: [1, 1] } as const },
    ]) {
      const content = safetensorsBytes(tensors);
      await assert.rejects(
        using(content, (file) => new HeadsSource(file)),
        /has no scale/,
      );
    }
    for (const bad of [NaN, 0, -1, Infinity]) {
      const scales = { dtype: 'F32', shape: [2], values: [1, bad] } as const;
      await using(safetensorsBytes({ matrix, 'matrix.scale': scales }), async (file) => {
        await assert.rejects(new HeadsSource(file).readRows('matrix', 0, 2), RangeError);
      });
    }
  });

  it('are refused when the header is not sound', async () => {
    await refused(Buffer.alloc(0), /it has only 0 bytes/);
    await refused(Buffer.alloc(8, 255), /claims a header of 18446744073709551615 bytes/);
    await refused(sound.subarray(0, 40), /claims a header/);
    await refused(withHeader('{'), /header is not JSON/);
    await refused(withHeader('[]'), /not a JSON object/);
    await refused(withHeader('null'), /not a JSON object/);
    await refused(withHeader('{"\u00ff"'), /not JSON/);
    await refused(headed({ __metadata__: { a: 1 } }, 0), /metadata are not all text/);
  });

  it('are refused when a tensor is malformed', async () => {
    await refused(headed({ a: 5 }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ dtype: 'F64' }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ dtype: 'toString' }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ more: 1 }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ shape: [] }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ shape: [0] }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ shape: [2 ** 31] }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ data_offsets: [4, 0] }) }), /does not take 4 bytes/);
    await refused(headed({ a: entry({ data_offsets: [-4, 0] }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ data_offsets: [0, 2 ** 60] }) }), /tensor "a" is malformed/);
    await refused(headed({ a: entry({ shape: [5] }) }), /does not take 5 bytes/);
    const huge = { shape: [2 ** 30, 2 ** 30], data_offsets: [0, 2 ** 53 - 1] };
    await refused(headed({ a: entry(huge) }), /does not take/);
  });

  it('are refused when tensors overlap, leave gaps or end behind the file', async () => {
    await refused(headed({ a: entry(), b: entry() }), /"b" does not follow/);
    await refused(headed({ a: entry(), b: entry({ data_offsets: [5, 9] }) }, 9), /"b" does not follow/);
    await refused(headed({ a: entry() }, 3), /end at byte \d+, but it has/);
    await refused(headed({ a: entry() }, 5), /end at byte \d+, but it has/);
    // A name that stands twice leaves a gap where the first was.
    const text = (from: number) => `"a":${JSON.stringify(entry({ data_offsets: [from, from + 4] }))}`;
    await refused(withHeader(`{${text(0)},${text(4)}}`, Buffer.alloc(8)), /does not follow/);
  });

  it('with names of JavaScript’s own are files like others', async () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const header = names.map((name, i) => {
      return `"${name}":${JSON.stringify(entry({ data_offsets: [4 * i, 4 * i + 4] }))}`;
    });
    await using(withHeader(`{${header.join(',')}}`, Buffer.alloc(12)), (file) => {
      assert.deepEqual([...file.tensors.keys()], names);
    });
  });

  it('however damaged, are read within their bounds or refused', async function () {
    this.timeout(60_000);
    const damage = fc.array(
      fc.record({ at: fc.nat(sound.length - 1), byte: fc.nat(255) }),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(sound.length), async (changes, length) => {
        const content = Buffer.from(sound.subarray(0, Math.max(length, sound.length - 20)));
        for (const { at, byte } of changes) if (at < content.length) content[at] = byte;
        try {
          await using(content, async (file) => {
            for (const tensor of file.tensors.values()) {
              assert.ok(tensor.offset >= 8 && tensor.offset + tensor.bytes <= content.length);
            }
            const heads = new HeadsSource(file);
            for (const { name, dims } of heads.tensors.values()) {
              const rows = dims.slice(1).reduce((product, dim) => product * dim, 1);
              await heads.readRows(name, 0, rows).catch((error: unknown) => {
                assert.ok(error instanceof RangeError); // a scale that is none
              });
            }
          });
        } catch (error) {
          assert.ok(error instanceof ModelError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
