import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGguf } from '../../../src/models/gguf';
import { fromHalves, toHalves } from '../../../src/models/half';
import { parsePlan } from '../../../src/models/plan';
import { quantiseBetween, quantiseBlocks, quantiseRows } from '../../../src/models/quantise';
import { openSafetensors } from '../../../src/models/safetensors';
import { HeadsSource, TrunkSource } from '../../../src/models/sources';
import type { WeightsOptions } from '../../../src/models/weights';
import { writeWeights } from '../../../src/models/weights';
import { floatTensor, ggufBytes } from '../../fixtures/gguf-writer';
import { safetensorsBytes } from '../../fixtures/safetensors-writer';

const columns = 8;
const random = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed + i * i)));
const a = random(12 * columns, 1);
const b = random(5 * columns, 2);
const bias = random(12, 3);
/** Rows of 32 values: two blocks of 16. */
const wide = { a: random(3 * 32, 4), b: random(2 * 32, 5) };

/** The rows of `a` with the permutation of 2 heads undone, by the definition in the plan's format. */
function unpermuted(source: Float32Array, width: number): Float32Array {
  const result = new Float32Array(source.length);
  for (let head = 0; head < 2; head++) {
    for (let p = 0; p < 2; p++) {
      for (let j = 0; j < 3; j++) {
        const from = (head * 6 + 2 * j + p) * width;
        result.set(source.subarray(from, from + width), (head * 6 + p * 3 + j) * width);
      }
    }
  }
  return result;
}

describe('writeWeights', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dynamo-weights-'));
    const tensors = [
      floatTensor('a', [8, 12], a),
      floatTensor('b', [8, 5], b),
      floatTensor('wide.a', [32, 3], wide.a),
      floatTensor('wide.b', [32, 2], wide.b),
    ];
    await writeFile(
      join(folder, 'x.gguf'),
      ggufBytes([...tensors, floatTensor('bias', [12], bias)]),
    );
  });
  after(() => rm(folder, { recursive: true }));

  /** Writes one entry at offset 64 (scales at 1024) and returns the whole file. */
  async function write(entry: object, options: WeightsOptions = {}): Promise<Buffer> {
    const tensor = { name: 'w', offset: 64, ...entry };
    const head = { version: 1, model: 'm', precision: 'int8', weights: 'w.bin', bytes: 2048 };
    const plan = parsePlan(JSON.stringify({ ...head, tensors: [tensor] }), 'plan');
    const path = join(folder, 'w.bin');
    await rm(path, { force: true });
    const gguf = await openGguf(join(folder, 'x.gguf'));
    try {
      await writeWeights({ gguf }, plan, path, options);
    } finally {
      await gguf.close();
    }
    const content = await readFile(path);
    assert.equal(content.length, 2048);
    return content;
  }

  const joined = Float32Array.from([...unpermuted(a, columns), ...b]);
  const sources = [{ tensor: 'a', unpermuteHeads: 2 }, { tensor: 'b' }];
  const turned = <T extends Float32Array | Uint16Array | Int8Array>(values: T) =>
    values.map((_, i) => values[(i % 17) * columns + Math.floor(i / 17)] ?? NaN);
  const floatsAt = (file: Buffer, offset: number, count: number) =>
    Float32Array.from({ length: count }, (_, i) => file.readFloatLE(offset + 4 * i));
  const halvesAt = (file: Buffer, offset: number, count: number) =>
    Uint16Array.from({ length: count }, (_, i) => file.readUInt16LE(offset + 2 * i));
  const integersAt = (file: Buffer, offset: number, count: number) =>
    Int8Array.from(file.subarray(offset, offset + count));

  // Small blocks and stripes exercise every border; the default takes all of it at once.
  const sizes: WeightsOptions[] = [
    {},
    { blockValues: 1, stripeBytes: 1 },
    { blockValues: 24, stripeBytes: 51 },
    { blockValues: 50, stripeBytes: 200 },
  ];

  for (const size of sizes) {
    const how = JSON.stringify(size);
    it(`stores int8 rows and their scales, as they are and turned ${how}`, async () => {
      const quantised = new Int8Array(joined.length);
      const scales = new Float32Array(17);
      quantiseRows(joined, columns, quantised, scales);
      const scale = { name: 's', offset: 1024 };
      const int8 = { transform: 'int8', scale, sources };

      const plain = await write({ ...int8, shape: [17, 8], transpose: false }, size);
      assert.deepEqual(integersAt(plain, 64, joined.length), quantised);
      assert.deepEqual(floatsAt(plain, 1024, 17), scales);

      const file = await write({ ...int8, shape: [8, 17], transpose: true }, size);
      assert.deepEqual(integersAt(file, 64, joined.length), turned(quantised));
      assert.deepEqual(floatsAt(file, 1024, 17), scales);
      // Everything between the ranges is zero.
      file.fill(0, 64, 64 + joined.length).fill(0, 1024, 1024 + 68);
      assert.ok(file.every((byte) => byte === 0));
    });

    it(`stores float16 rows, as they are and turned ${how}`, async () => {
      const halves = new Uint16Array(joined.length);
      toHalves(joined, halves);
      const float16 = { transform: 'float16', sources };
      const plain = await write({ ...float16, shape: [17, 8], transpose: false }, size);
      assert.deepEqual(halvesAt(plain, 64, joined.length), halves);
      const file = await write({ ...float16, shape: [8, 17], transpose: true }, size);
      assert.deepEqual(halvesAt(file, 64, joined.length), turned(halves));
    });

    it(`stores blocks of 4 bits and their scales ${how}`, async () => {
      const { a: first, b: second } = wide;
      const values = Float32Array.from([...first, ...second]);
      const packed = new Uint8Array(values.length / 2);
      const scales = new Float32Array(values.length / 16);
      quantiseBlocks(values, 16, packed, scales);
      const file = await write(
        {
          transform: 'int4',
          shape: [5, 32],
          block: 16,
          transpose: false,
          scale: { name: 's', offset: 1024 },
          sources: [{ tensor: 'wide.a' }, { tensor: 'wide.b' }],
        },
        size,
      );
      assert.deepEqual(Uint8Array.from(file.subarray(64, 64 + packed.length)), packed);
      assert.deepEqual(floatsAt(file, 1024, scales.length), scales);
    });

    it(`stores blocks of 4 bits with scales and offsets ${how}`, async () => {
      const { a: first, b: second } = wide;
      const values = Float32Array.from([...first, ...second]);
      const packed = new Uint8Array(values.length / 2);
      const scales = new Float32Array(values.length / 16);
      const offsets = new Float32Array(scales.length);
      quantiseBetween(values, 16, packed, scales, offsets);
      const file = await write(
        {
          transform: 'int4',
          shape: [5, 32],
          block: 16,
          transpose: false,
          scale: { name: 's', offset: 1024 },
          offsets: { name: 'o', offset: 1152 },
          sources: [{ tensor: 'wide.a' }, { tensor: 'wide.b' }],
        },
        size,
      );
      assert.deepEqual(Uint8Array.from(file.subarray(64, 64 + packed.length)), packed);
      assert.deepEqual(floatsAt(file, 1024, scales.length), scales);
      assert.deepEqual(floatsAt(file, 1152, offsets.length), offsets);
    });

    it(`stores float32 rows, as they are and turned ${how}`, async () => {
      const float32 = { transform: 'float32', sources };
      const plain = await write({ ...float32, shape: [17, 8], transpose: false }, size);
      assert.deepEqual(floatsAt(plain, 64, joined.length), joined);
      const file = await write({ ...float32, shape: [8, 17], transpose: true }, size);
      assert.deepEqual(floatsAt(file, 64, joined.length), turned(joined));
    });
  }

  it('joins vectors value by value, permuted ones too', async () => {
    const vectors = [{ tensor: 'bias' }, { tensor: 'bias', unpermuteHeads: 2 }];
    const entry = { transform: 'float32', shape: [24], transpose: false, sources: vectors };
    const file = await write(entry);
    const expected = Float32Array.from([...bias, ...unpermuted(bias, 1)]);
    assert.deepEqual(floatsAt(file, 64, 24), expected);
  });

  it('gives rows of a float16 trunk to its heads as the float16 values that they are', async () => {
    const tensor = { name: 'w', offset: 64, transform: 'float16', shape: [17, 8] };
    const file = await write({ ...tensor, transpose: false, sources });
    const path = join(folder, 'trunk.bin');
    await writeFile(path, file);
    const head = { version: 1, model: 'm', precision: 'fp16', weights: 'w.bin', bytes: 2048 };
    const tensors = [{ ...tensor, transpose: false, sources }];
    const plan = parsePlan(JSON.stringify({ ...head, tensors }), 'plan');
    const trunk = await TrunkSource.open(path, plan);
    const expected = new Float32Array(joined.length);
    fromHalves(halvesAt(file, 64, joined.length), expected);
    assert.deepEqual(await trunk.readRows('w', 3, 2), expected.subarray(3 * 8, 5 * 8));
    await trunk.close();
  });

  it('takes the rows that the heads name, near each other or far apart', async () => {
    const heads = join(folder, 'heads.safetensors');
    const tall = Float32Array.from({ length: 400 * columns }, (_, i) => i);
    await writeFile(join(folder, 'tall.gguf'), ggufBytes([floatTensor('t', [8, 400], tall)]));
    for (const picked of [[5], [3, 1, 2], [0, 399], [399, 7, 7]]) {
      const shortlist = { dtype: 'I32', shape: [picked.length], values: picked } as const;
      await writeFile(heads, safetensorsBytes({ shortlist }));
      const entry = {
        transform: 'float32',
        name: 'w',
        shape: [picked.length, columns],
        offset: 0,
        transpose: false,
        sources: [{ tensor: 't', rows: 'shortlist' }],
      };
      const head = { version: 1, model: 'm', precision: 'int8', weights: 'w.bin', bytes: 256 };
      const plan = parsePlan(JSON.stringify({ ...head, tensors: [entry] }), 'plan');
      const path = join(folder, 'picked.bin');
      await rm(path, { force: true });
      const gguf = await openGguf(join(folder, 'tall.gguf'));
      const stored = await openSafetensors(heads);
      await writeWeights({ gguf, heads: new HeadsSource(stored) }, plan, path);
      await Promise.all([gguf.close(), stored.close()]);
      const expected = picked.flatMap((row) => [...tall.subarray(row * columns, (row + 1) * columns)]);
      assert.deepEqual([...floatsAt(await readFile(path), 0, expected.length)], expected);
    }
  });

  it('reports progress up to the whole, whatever the passes', async () => {
    for (const size of sizes) {
      const reports: [number, number][] = [];
      const onProgress = (done: number, total: number) => void reports.push([done, total]);
      const entry = { transform: 'float32', shape: [8, 17], transpose: true, sources };
      await write(entry, { ...size, onProgress });
      const total = joined.length * 4;
      assert.deepEqual(reports.at(-1), [total, total]);
      const done = reports.map(([bytes]) => bytes);
      assert.deepEqual(
        done,
        [...done].sort((x, y) => x - y),
      );
    }
  });

  it('stops between blocks when aborted', async () => {
    const controller = new AbortController();
    let reports = 0;
    const onProgress = () => {
      if (++reports === 2) controller.abort(new Error('enough'));
    };
    const entry = { transform: 'float32', shape: [17, 8], transpose: false, sources };
    const options = { blockValues: 1, onProgress, signal: controller.signal };
    await assert.rejects(write(entry, options), /enough/);
    assert.equal(reports, 2);
  });

  it('refuses values that are not finite, naming the tensor and its rows', async () => {
    const bad = a.slice();
    bad[3 * columns] = NaN;
    const gguf = ggufBytes([floatTensor('a', [8, 12], bad), floatTensor('b', [8, 5], b)]);
    await writeFile(join(folder, 'x.gguf'), gguf);
    const scale = { name: 's', offset: 1024 };
    const entry = { transform: 'int8', scale, sources, shape: [17, 8], transpose: false };
    await assert.rejects(write(entry), /"w" .*rows 0 to 11.*not finite/);
  });
});
