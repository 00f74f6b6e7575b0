import assert from 'node:assert/strict';
import fc from 'fast-check';
import { halves } from '../../../src/models/dequantise';
import { fromHalves, toHalves } from '../../../src/models/half';

const rounded = (value: number): number => {
  const patterns = new Uint16Array(1);
  toHalves(Float32Array.of(value), patterns);
  return patterns[0] ?? NaN;
};

/** Patterns of the finite values that are not below 0, in the order of their values. */
const LARGEST = 0x7bff;

describe('float16', () => {
  it('comes back as it was, whatever the bits', () => {
    const finite = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter((bits) =>
      Number.isFinite(halves[bits]),
    );
    const values = new Float32Array(finite.length);
    fromHalves(finite, values);
    const again = new Uint16Array(finite.length);
    toHalves(values, again);
    assert.deepEqual(again, finite);
  });

  it('is the nearest one, halves to even', () => {
    for (let bits = 0; bits < LARGEST; bits++) {
      const [low, high] = [halves[bits] ?? NaN, halves[bits + 1] ?? NaN];
      const middle = (low + high) / 2; // A float32, as it has more bits.
      const even = bits % 2 === 0 ? bits : bits + 1;
      assert.equal(rounded(middle), even);
      assert.equal(rounded(-middle), 0x8000 | even);
      assert.equal(rounded(middle - (high - low) / 64), bits);
      assert.equal(rounded(middle + (high - low) / 64), bits + 1);
    }
  });

  it('is never further away than a half of the steps there', () => {
    fc.assert(
      fc.property(fc.float({ min: -65_504, max: 65_504, noNaN: true }), (value) => {
        const step = Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10));
        assert.ok(Math.abs((halves[rounded(value)] ?? NaN) - value) <= step / 2);
      }),
    );
  });

  it('refuses what it cannot hold', () => {
    assert.equal(rounded(65_519), LARGEST);
    for (const value of [65_520, -1e30, Infinity, NaN]) {
      assert.throws(() => rounded(value), /not within ±65504/);
    }
    assert.throws(() => fromHalves(Uint16Array.of(0x7c00), new Float32Array(1)), /not finite/);
    assert.throws(() => toHalves(new Float32Array(2), new Uint16Array(1)), RangeError);
    assert.throws(() => fromHalves(new Uint16Array(2), new Float32Array(1)), RangeError);
  });
});
