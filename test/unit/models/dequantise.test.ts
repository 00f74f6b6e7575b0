import assert from 'node:assert/strict';
import { dequantise, supportedTypes, tensorType } from '../../../src/models/dequantise';
import cases from '../../fixtures/dequantise.json';

describe('dequantise', () => {
  for (const { type, name, blocks, values } of cases) {
    it(`decodes ${name} as the reference does, bit for bit`, () => {
      const decoder = tensorType(type);
      assert.equal(decoder?.name, name);
      const source = Buffer.from(blocks, 'base64');
      const expected = Buffer.from(values, 'base64');
      const out = new Float32Array(expected.length / 4);
      dequantise(decoder, source, out);
      const wanted = new Float32Array(out.length);
      new Uint8Array(wanted.buffer).set(expected);
      // Zeros may differ in sign: int·scale keeps the sign of −0 in one and not in the other.
      for (const [i, value] of out.entries()) {
        assert.ok(value === wanted[i], `value ${i}: ${value} instead of ${wanted[i]}`);
      }
    });
  }

  it('has a golden for every supported type', () => {
    assert.deepEqual(new Set(cases.map(({ name }) => name)), new Set(supportedTypes));
  });

  it('refuses lengths that do not belong together', () => {
    const q8 = tensorType(8);
    assert.ok(q8);
    assert.throws(() => dequantise(q8, new Uint8Array(34), new Float32Array(31)), RangeError);
    assert.throws(() => dequantise(q8, new Uint8Array(33), new Float32Array(32)), RangeError);
    assert.throws(() => dequantise(q8, new Uint8Array(68), new Float32Array(32)), RangeError);
  });

  it('decodes into any part of a larger array, and leaves the rest alone', () => {
    const q8 = tensorType(8);
    assert.ok(q8);
    const block = new Uint8Array(34);
    block[1] = 0x3c; // 1.0 in half precision
    block.fill(0xff, 2);
    const all = new Float32Array(96).fill(7);
    dequantise(q8, block, all.subarray(32, 64));
    assert.deepEqual([...new Set(all.subarray(32, 64))], [-1]);
    assert.deepEqual([...new Set(all.subarray(0, 32)), ...new Set(all.subarray(64))], [7, 7]);
  });
});
