import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Tensor } from 'onnxruntime-node';
import { BLOCK, KvCache } from '../../../src/engine/kv';

const SHAPE = { layers: 2, kvHeads: 3, headSize: 2 };
const WIDTH = SHAPE.kvHeads * SHAPE.headSize;

/** What a run would return for these tokens: every number says whose it is. */
function rowsOf(tokens: readonly number[]): Float32Array {
  const rows = [];
  for (let buffer = 0; buffer < 2 * SHAPE.layers; buffer++) {
    for (const token of tokens) rows.push(...Array<number>(WIDTH).fill(1000 * buffer + token));
  }
  return Float32Array.from(rows);
}

/** The bits of a float16 tensor, whatever type this version of Node has for them. */
function halfData(tensor: Tensor | undefined): Uint16Array {
  const data = tensor?.data;
  assert.ok(ArrayBuffer.isView(data));
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

function filled(tokens: readonly number[], capacity = 4 * BLOCK): KvCache {
  const cache = new KvCache(SHAPE, capacity);
  cache.append(tokens, rowsOf(tokens));
  return cache;
}

/** The rows of one buffer as the graph is given them, one number a position. */
function fed(cache: KvCache, part: 'k' | 'v', layer: number): number[] {
  const feeds = cache.feeds();
  const numbers: number[] = [];
  for (const name of ['past', 'tail']) {
    const tensor = feeds[`${name}.${part}.${layer}`];
    assert.ok(tensor);
    assert.deepEqual(tensor.dims.slice(1), [SHAPE.kvHeads, SHAPE.headSize]);
    for (let i = 0; i < tensor.data.length; i += WIDTH) numbers.push(Number(tensor.data[i]));
  }
  return numbers;
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i % 900);

describe('the KV cache', () => {
  it('gives whole blocks as past and the rest as tail', () => {
    for (const length of [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5]) {
      const feeds = filled(count(length)).feeds();
      const past = length - (length % BLOCK);
      assert.equal(feeds['tail.k.1']?.dims[0], length - past);
      assert.equal(feeds['past.v.0']?.dims[0], Math.max(1, past));
      assert.deepEqual([...(feeds.has_past?.data ?? [])], [past > 0 ? 1 : 0]);
    }
  });

  it('gives a placeholder that no query sees while no block is whole', () => {
    const feeds = new KvCache(SHAPE, BLOCK).feeds();
    assert.ok([...(feeds['past.k.0']?.data ?? [])].every((x) => Number(x) < -9e29));
    assert.ok([...(feeds['past.v.0']?.data ?? [])].every((x) => x === 0));
    assert.equal(feeds['tail.k.0']?.dims[0], 0);
  });

  it('keeps float16 as it comes, in half the memory, behind a placeholder of zeros', () => {
    const half = new KvCache({ ...SHAPE, type: 'float16' }, 2 * BLOCK);
    const { rowBytes } = new KvCache(SHAPE, BLOCK);
    assert.equal(half.rowBytes, rowBytes / 2);
    const empty = half.feeds();
    assert.equal(empty['past.k.0']?.type, 'float16');
    assert.ok([...halfData(empty['past.k.0'])].every((bits) => bits === 0));
    const tokens = count(BLOCK + 3);
    half.append(tokens, Uint16Array.from(rowsOf(tokens)));
    const feeds = half.feeds();
    const expected = filled(tokens).feeds();
    for (const name of ['past.k.1', 'tail.v.0']) {
      assert.deepEqual([...halfData(feeds[name])], [...(expected[name]?.data ?? [])].map(Number));
    }
    assert.throws(() => new KvCache(SHAPE, 2 * BLOCK).copy(half, 1), RangeError);
  });

  it('copies nothing: past and tail are views of the same memory', () => {
    const cache = filled(count(BLOCK + 3));
    const [first, second] = [cache.feeds(), cache.feeds()];
    for (const name of ['past.k.1', 'tail.v.0']) {
      const [a, b] = [first[name]?.data, second[name]?.data];
      assert.ok(a instanceof Float32Array && b instanceof Float32Array);
      assert.equal(a.buffer, b.buffer);
    }
  });

  it('holds what was appended and not rewound, whatever the order', () => {
    const action = fc.oneof(
      fc.record({ append: fc.array(fc.nat(899), { minLength: 1, maxLength: 90 }) }),
      fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
        const cache = new KvCache(SHAPE, 2000);
        const expected: number[] = [];
        for (const each of actions) {
          if ('append' in each) {
            cache.append(each.append, rowsOf(each.append));
            expected.push(...each.append);
          } else {
            expected.length = Math.floor(each.keep * expected.length);
            cache.rewind(expected.length);
          }
          assert.equal(cache.length, expected.length);
          assert.equal(cache.commonPrefix([...expected, 5]), expected.length);
          const placeholder = expected.length < BLOCK ? 1 : 0;
          const keys = fed(cache, 'k', 1).slice(placeholder);
          assert.deepEqual(
            keys,
            expected.map((token) => 2000 + token),
          );
          const values = fed(cache, 'v', 0).slice(placeholder);
          assert.deepEqual(
            values,
            expected.map((token) => 1000 + token),
          );
        }
      }),
      { numRuns: 100 },
    );
  });

  it('finds the longest common prefix', () => {
    const cache = filled([1, 2, 3, 4]);
    for (const [tokens, common] of [
      [[], 0],
      [[9], 0],
      [[1, 2, 9, 4], 2],
      [[1, 2, 3, 4], 4],
      [[1, 2, 3, 4, 5], 4],
      [[1, 2], 2],
    ] as const) {
      assert.equal(cache.commonPrefix(tokens), common);
    }
  });

  it('becomes a copy of the beginning of another one, and leaves that alone', () => {
    const source = filled(count(2 * BLOCK + 9));
    const copy = filled([5, 6, 7]);
    copy.copy(source, BLOCK + 4);
    copy.append([77], rowsOf([77]));
    assert.deepEqual(copy.tokens, [...count(BLOCK + 4), 77]);
    assert.deepEqual(
      fed(copy, 'v', 1),
      copy.tokens.map((token) => 3000 + token),
    );
    assert.equal(fed(source, 'v', 1)[BLOCK + 4], 3000 + BLOCK + 4);
    assert.throws(() => copy.copy(source, source.length + 1), RangeError);
    assert.throws(() => filled([1], 8).copy(source, 9), RangeError);
  });

  it('takes memory for what it holds, in whole blocks, and says how much', () => {
    const cache = new KvCache(SHAPE, 40 * BLOCK);
    const memory = () => {
      const { buffer } = cache.feeds()['tail.k.0']?.data as Float32Array;
      return (buffer.byteLength * cache.rowBytes) / (WIDTH * Float32Array.BYTES_PER_ELEMENT);
    };
    assert.equal(cache.bytes, 0);
    cache.reserve(BLOCK + 1);
    assert.equal(cache.bytes, 2 * BLOCK * cache.rowBytes);
    for (let block = 0; block < 40; block++) {
      cache.append(count(BLOCK), rowsOf(count(BLOCK)));
      assert.ok(cache.room <= Math.max(2 * BLOCK, 1.5 * cache.length + BLOCK));
      assert.equal(cache.bytes, memory());
    }
    assert.equal(cache.room, cache.capacity);
    assert.throws(() => cache.reserve(cache.capacity + 1), RangeError);
  });

  it('gives past and tail from where the rows lie after it has grown', () => {
    const cache = filled(count(BLOCK));
    const before = cache.feeds();
    cache.append(count(3), rowsOf(count(3)));
    const after = cache.feeds();
    const [old, past, tail] = [before['past.k.1'], after['past.k.1'], after['tail.k.1']].map(
      (tensor) => (tensor?.data as Float32Array).buffer,
    );
    assert.notEqual(old, past);
    assert.equal(past, tail);
    assert.deepEqual(
      fed(cache, 'k', 1),
      [...count(BLOCK), ...count(3)].map((token) => 2000 + token),
    );
  });

  it('refuses rows that do not fit, and lengths that it has not', () => {
    const cache = filled(count(10), 12);
    assert.throws(() => cache.append([1, 2, 3], rowsOf([1, 2, 3])), RangeError);
    assert.throws(() => cache.append([1], rowsOf([1, 2])), RangeError);
    for (const length of [-1, 11, 1.5, NaN]) assert.throws(() => cache.rewind(length), RangeError);
    assert.equal(cache.length, 10);
  });
});
