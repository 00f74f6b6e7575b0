import assert from 'node:assert/strict';
import { tensorType } from '../../../src/models/dequantise';
import { ModelError } from '../../../src/models/errors';
import type { GgufTensor } from '../../../src/models/gguf';
import type { HeadsPlan } from '../../../src/models/plan';
import { bindPlan, checkBorrowed, integerNames, parsePlan } from '../../../src/models/plan';
import { tinyHeadsPlan, tinyPlan } from '../../fixtures/tiny-model';

const floats = tensorType(0);
assert.ok(floats);

function tensors(shapes: Record<string, number[]>): Map<string, GgufTensor> {
  const type = floats;
  assert.ok(type);
  const entries = Object.entries(shapes).map(([name, dims]): [string, GgufTensor] => {
    return [name, { name, dims, type, offset: 0, bytes: 0 }];
  });
  return new Map(entries);
}

const norm = {
  transform: 'float32',
  name: 'norm',
  shape: [8],
  offset: 0,
  transpose: false,
  sources: [{ tensor: 'norm' }],
};
const matrix = {
  transform: 'int8',
  name: 'qk',
  shape: [8, 12],
  offset: 64,
  transpose: true,
  scale: { name: 'qk.scale', offset: 192 },
  sources: [{ tensor: 'q', unpermuteHeads: 2 }, { tensor: 'k' }],
};
const sound = {
  version: 1,
  model: 'm',
  precision: 'int8',
  weights: 'w.bin',
  bytes: 256,
  tensors: [norm, matrix],
};
const shapes = { norm: [8], q: [8, 8], k: [8, 4] };

describe('parsePlan', () => {
  const refuses = (change: object, reason: RegExp) => {
    const text = JSON.stringify({ ...sound, ...change });
    assert.throws(
      () => parsePlan(text, 'plan.json'),
      (error) => error instanceof ModelError && reason.test(error.message),
    );
  };

  it('accepts a sound plan', () => {
    assert.equal(parsePlan(JSON.stringify(sound), 'plan.json').tensors.length, 2);
  });

  it('refuses ranges outside the file', () => {
    refuses({ bytes: 239 }, /"qk.scale" ends at byte 240, behind the file's 239 bytes/);
    refuses({ tensors: [{ ...norm, offset: -64 }] }, /malformed/);
    refuses({ tensors: [{ ...norm, offset: 2 ** 52 }] }, /behind the file/);
    refuses({ tensors: [{ ...norm, shape: [2 ** 31] }] }, /malformed/);
    refuses({ tensors: [{ ...matrix, shape: [2 ** 30, 2 ** 30] }] }, /behind the file/);
  });

  it('refuses overlaps, of values and of scales', () => {
    refuses({ tensors: [norm, { ...matrix, offset: 0 }] }, /"norm" and "qk" overlap/);
    const scale = { name: 'qk.scale', offset: 128 };
    refuses({ tensors: [norm, { ...matrix, scale }] }, /"qk" and "qk.scale" overlap/);
  });

  it('refuses names that occur twice, odd offsets and unknown fields', () => {
    refuses({ tensors: [norm, { ...norm, offset: 128 }] }, /occurs twice/);
    refuses({ tensors: [{ ...norm, offset: 4 }] }, /malformed/);
    refuses({ tensors: [{ ...norm, extra: 1 }] }, /malformed/);
    refuses({ tensors: [{ ...norm, transform: 'bfloat16' }] }, /malformed/);
    refuses({ tensors: [{ ...norm, transpose: true }] }, /has one dimension/);
    refuses({ tensors: [] }, /malformed/);
    assert.throws(() => parsePlan('{', 'plan.json'), /plan.json is malformed: it is not JSON/);
  });

  it('takes 4 bits a value in whole blocks, and refuses others', () => {
    const blocks = {
      ...{ transform: 'int4', name: 'w', shape: [3, 32], block: 16, offset: 0, transpose: false },
      ...{ scale: { name: 'w.scale', offset: 64 }, sources: [{ tensor: 'w' }] },
    };
    // 48 bytes of values, 6 scales.
    assert.equal(parsePlan(JSON.stringify({ ...sound, tensors: [blocks], bytes: 88 }), 'p').bytes, 88);
    refuses({ tensors: [blocks], bytes: 87 }, /"w.scale" ends at byte 88/);
    const offsets = { name: 'w.offsets', offset: 128 };
    const between = { ...blocks, offsets };
    assert.ok(parsePlan(JSON.stringify({ ...sound, tensors: [between], bytes: 152 }), 'p'));
    refuses({ tensors: [between], bytes: 151 }, /"w.offsets" ends at byte 152/);
    refuses({ tensors: [{ ...between, offsets: { ...offsets, offset: 64 } }] }, /overlap/);
    refuses({ tensors: [{ ...blocks, shape: [3, 24] }] }, /no whole blocks of 16/);
    refuses({ tensors: [{ ...blocks, block: 24 }] }, /malformed/);
    refuses({ tensors: [{ ...blocks, transpose: true }] }, /malformed/);
  });

  it('refuses weight files outside their folder', () => {
    for (const weights of ['../w.bin', '/w.bin', 'a/b.bin', 'graph.onnx', '.bin', 'w.bin\u0000']) {
      refuses({ weights }, /malformed/);
    }
  });
});

describe('bindPlan', () => {
  const bind = (tensorsOfPlan: object[], found: Record<string, number[]> = shapes) =>
    bindPlan(parsePlan(JSON.stringify({ ...sound, tensors: tensorsOfPlan }), 'p'), {
      tensors: { gguf: tensors(found) },
    });

  it('joins sources along their rows', () => {
    const [first, second] = bind([norm, matrix]);
    assert.deepEqual([first?.rows, first?.columns], [8, 1]);
    assert.deepEqual([second?.rows, second?.columns], [12, 8]);
    assert.deepEqual(
      second?.sources.map(({ headRows }) => headRows),
      [4, 1],
    );
  });

  it('refuses tensors that are missing or do not fit', () => {
    assert.throws(() => bind([norm], {}), /"norm" needs the tensor "norm", which is not there/);
    assert.throws(() => bind([norm], { norm: [8, 1] }), /cannot be made of "norm"/);
    assert.throws(() => bind([norm], { norm: [9] }), /should have the shape \[8\], but is \[9\]/);
    assert.throws(() => bind([matrix], { ...shapes, k: [4, 4] }), /different lengths/);
    assert.throws(() => bind([matrix], { ...shapes, k: [8, 5] }), /should have the shape/);
    assert.throws(() => bind([{ ...matrix, shape: [12, 8] }]), /should have the shape/);
    const heads = [{ tensor: 'q', unpermuteHeads: 8 }, { tensor: 'k' }];
    assert.throws(() => bind([{ ...matrix, sources: heads }]), /into 8 heads/);
  });
});

describe('plans of heads', () => {
  const heads = { ...tinyHeadsPlan.heads, sha256: '0'.repeat(64) };
  const parse = (changes: object = {}) =>
    parsePlan(JSON.stringify({ ...tinyHeadsPlan, heads, ...changes }), 'plan.json');
  const isHeads = (plan: ReturnType<typeof parsePlan>): plan is HeadsPlan => plan.heads !== undefined;
  const trunk = parsePlan(JSON.stringify(tinyPlan), 'trunk.json');
  const [shortlist, mix, output] = tinyHeadsPlan.tensors;
  const sources = {
    tensors: { heads: tensors({ mix: [8, 2] }), trunk: tensors({ embedding: [8, 4] }) },
    integers: new Map([['shortlist', Int32Array.of(2, 0, 3)]]),
  };

  it('name where everything comes from', () => {
    const plan = parse();
    assert.deepEqual([...integerNames(plan)], ['shortlist']);
    const [integers, own, rows] = bindPlan(plan, sources);
    assert.deepEqual([integers?.rows, integers?.sources.length], [3, 0]);
    assert.deepEqual([own?.sources[0]?.origin, own?.rows], ['heads', 2]);
    assert.equal(rows?.sources[0]?.origin, 'trunk');
    assert.deepEqual([...(rows.sources[0].picked ?? [])], [2, 0, 3]);
  });

  it('are refused when they are malformed', () => {
    const bad: object[] = [
      { heads: { ...heads, file: '../heads.safetensors' } },
      { heads: { ...heads, file: 'heads.bin' } },
      { heads: { ...heads, kind: 'other' } },
      { heads: { ...heads, sha256: 'x' } },
      { heads: { ...heads, extra: 1 } },
      { borrowed: [{ name: 'norm', file: '/etc/weights.bin', offset: 0, bytes: 32 }] },
      { tensors: [{ ...shortlist, sources: [{ tensor: 'shortlist' }] }] },
      { tensors: [{ ...shortlist, transpose: true }] },
      { tensors: [{ ...mix, sources: [{ tensor: 'mix', from: 'elsewhere' }] }] },
    ];
    for (const changes of bad) assert.throws(() => parse(changes), /malformed/);
  });

  it('are refused when sources do not have what they take', () => {
    const fails = (entry: object, reason: RegExp, found: Parameters<typeof bindPlan>[1] = sources) =>
      assert.throws(() => bindPlan(parse({ tensors: [entry] }), found), reason);
    assert.ok(shortlist && mix && output);
    fails(mix, /needs the tensor "mix"/, { tensors: { gguf: tensors({ mix: [8, 2] }) } });
    fails({ ...shortlist, shape: [4] }, /should have 4 values, but has 3/);
    fails(shortlist, /needs the integers "shortlist"/, { tensors: sources.tensors });
    const row = (value: number) => ({
      ...sources,
      integers: new Map([['shortlist', Int32Array.of(2, 0, value)]]),
    });
    fails(output, /takes a row that "embedding" does not have/, row(4));
    fails(output, /takes a row that "embedding" does not have/, row(-1));
    fails({ ...output, shape: [2, 8] }, /should have the shape \[2, 8\], but is \[3, 8\]/);
    const vector = { ...norm, sources: [{ tensor: 'norm', rows: 'shortlist' }] };
    fails(vector, /takes rows of what has none/, {
      ...sources,
      tensors: { gguf: tensors({ norm: [8] }) },
    });
  });

  it('borrow only what stands where they say', () => {
    const check = (changes: object) => {
      const plan = parse({ borrowed: [{ ...tinyHeadsPlan.borrowed[0], ...changes }] });
      assert.ok(isHeads(plan));
      checkBorrowed(plan, trunk);
    };
    check({});
    check({ name: 'embedding.scale', offset: 320, bytes: 16 });
    for (const changes of [{ offset: 64 }, { bytes: 16 }, { name: 'gone' }, { file: 'w.bin' }]) {
      assert.throws(() => check(changes), /do not fit its trunk/);
    }
  });
});
