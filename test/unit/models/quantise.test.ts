import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  dequantiseRows,
  quantiseBetween,
  quantiseBlocks,
  quantiseRows,
  transposeInto,
} from '../../../src/models/quantise';

function quantise(values: readonly number[], columns: number) {
  const floats = Float32Array.from(values);
  const quantised = new Int8Array(floats.length);
  const scales = new Float32Array(floats.length / columns);
  quantiseRows(floats, columns, quantised, scales);
  return { floats, quantised, scales };
}

/** Rows of 16 finite values whose scale is a normal float32. */
const row = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 16, maxLength: 16 })
  .filter((values) => Math.max(...values.map(Math.abs)) > 1e-30);

describe('quantiseRows', function () {
  this.timeout(30_000);
  it('is off by half a scale at most', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { floats, quantised, scales } = quantise(values, 16);
        const scale = scales[0] ?? NaN;
        // The scale is itself rounded to float32, so the bound has a little more than a half.
        const bound = (scale / 2) * (1 + 1e-4);
        return floats.every((value, i) => Math.abs(value - (quantised[i] ?? NaN) * scale) <= bound);
      }),
    );
  });

  it('gives the largest magnitude of a row ±127 and nothing −128', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { floats, quantised } = quantise(values, 16);
        const largest = floats.reduce((best, value, i) =>
          Math.abs(value) > Math.abs(floats[best] ?? 0) ? i : best, 0);
        assert.equal(quantised[largest], 127 * Math.sign(floats[largest] ?? 0));
        assert.ok(quantised.every((value) => value >= -127));
      }),
    );
  });

  it('quantises each row as if it stood alone', () => {
    fc.assert(
      fc.property(row, row, (a, b) => {
        const both = quantise([...a, ...b], 16);
        assert.deepEqual(both.quantised.subarray(16), quantise(b, 16).quantised);
        assert.equal(both.scales[1], quantise(b, 16).scales[0]);
      }),
    );
  });

  it('gives the same integers again for what it has rounded', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { quantised, scales } = quantise(values, 16);
        const rounded = new Float32Array(16);
        dequantiseRows(quantised, scales, 16, rounded);
        // Near the largest float32 the value of ±127 may round up to infinity.
        fc.pre(rounded.every(Number.isFinite));
        const again = quantise([...rounded], 16);
        assert.deepEqual(again.quantised, quantised);
        assert.ok(Math.abs((again.scales[0] ?? 0) / (scales[0] ?? 0) - 1) < 2 ** -22);
      }),
    );
  });

  it('gives rows of zeros, and of values too small for a scale, scale 1 and zeros', () => {
    const { quantised, scales } = quantise([0, -0, 1e-45, -1e-40], 2);
    assert.deepEqual([...scales], [1, 1]);
    assert.deepEqual([...quantised], [0, 0, 0, 0]);
  });

  it('rounds halves to the even integer', () => {
    const { quantised } = quantise([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.49], 8);
    assert.deepEqual([...quantised], [127, 0, 2, 2, 0, -2, -2, 3]);
  });

  it('refuses values that are not finite', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      assert.throws(() => quantise([1, 2, 3, bad], 2), /Row 1 .* not finite/);
    }
  });
});

describe('quantiseBlocks', () => {
  const block = 16;

  /** The integers, -8 to 7, of values in blocks, and their scales. */
  function inBlocks(values: readonly number[]) {
    const floats = Float32Array.from(values);
    const packed = new Uint8Array(floats.length / 2);
    const scales = new Float32Array(floats.length / block);
    quantiseBlocks(floats, block, packed, scales);
    const integers = Array.from(
      floats,
      (_, i) => (((packed[i >> 1] ?? NaN) >> (i % 2 === 0 ? 0 : 4)) & 15) - 8,
    );
    return { floats, integers, scales };
  }

  it('is off by half a scale at most, by a whole one where 8 would be needed', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { floats, integers, scales } = inBlocks(values);
        const scale = scales[0] ?? NaN;
        return floats.every((value, i) => {
          const bound = Math.abs(scale) * (integers[i] === 7 ? 1 : 0.5) * (1 + 1e-4);
          return Math.abs(value - (integers[i] ?? NaN) * scale) <= bound;
        });
      }),
    );
  });

  it('gives the largest magnitude of a block -8, whatever its sign', () => {
    const values = Array.from({ length: 32 }, (_, i) => (i === 3 ? 4 : i === 20 ? -4 : i / 100));
    const { integers, scales } = inBlocks(values);
    assert.deepEqual([integers[3], integers[20], ...scales], [-8, -8, -0.5, 0.5]);
  });

  it('has the first of two values in the low half of their byte', () => {
    const packed = new Uint8Array(1);
    quantiseBlocks(Float32Array.of(-8, 1), 2, packed, new Float32Array(1));
    assert.equal(packed[0], 0x90);
  });

  it('gives blocks of zeros, and of values too small for a scale, scale 1 and zeros', () => {
    const { integers, scales } = inBlocks([...Array<number>(16).fill(0), ...Array<number>(16).fill(1e-45)]);
    assert.deepEqual([...scales], [1, 1]);
    assert.ok(integers.every((integer) => integer === 0));
  });

  it('refuses values that are not finite, and lengths that disagree', () => {
    const bad = Array.from({ length: 32 }, (_, i) => (i === 17 ? NaN : 1));
    assert.throws(() => inBlocks(bad), /Block 1 .* not finite/);
    const floats = new Float32Array(16);
    assert.throws(() => quantiseBlocks(floats, 16, new Uint8Array(7), new Float32Array(1)), RangeError);
    assert.throws(() => quantiseBlocks(floats, 8, new Uint8Array(8), new Float32Array(1)), RangeError);
  });
});

describe('quantiseBetween', () => {
  const block = 16;

  /** The steps, 0 to 15, of values in blocks, their scales and offsets, and what they stand for. */
  function between(values: readonly number[]) {
    const floats = Float32Array.from(values);
    const packed = new Uint8Array(floats.length / 2);
    const scales = new Float32Array(floats.length / block);
    const offsets = new Float32Array(scales.length);
    quantiseBetween(floats, block, packed, scales, offsets);
    const steps = Array.from(floats, (_, i) => ((packed[i >> 1] ?? NaN) >> (4 * (i % 2))) & 15);
    const held = steps.map((step, i) => {
      const at = Math.floor(i / block);
      return (step - 8) * (scales[at] ?? NaN) + (offsets[at] ?? NaN);
    });
    return { floats, steps, scales, offsets, held };
  }

  /** Blocks of moderate values, whose differences do not vanish beside them. */
  const moderate = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), {
    minLength: block,
    maxLength: block,
  });

  it('is off by half a scale at most', () => {
    fc.assert(
      fc.property(moderate, (values) => {
        const { floats, scales, held } = between(values);
        const bound = (scales[0] ?? NaN) / 2 + 1e-4;
        return floats.every((value, i) => Math.abs(value - (held[i] ?? NaN)) <= bound);
      }),
    );
  });

  it('finds the steps that a block was made of', () => {
    const made = fc.tuple(
      fc.array(fc.integer({ min: 0, max: 15 }), { minLength: block - 2, maxLength: block - 2 }),
      fc.double({ min: 2 ** -8, max: 1, noNaN: true }),
      fc.double({ min: -2, max: 2, noNaN: true }),
    );
    fc.assert(
      fc.property(made, ([inner, scale, least]) => {
        const steps = [0, ...inner, 15];
        const found = between(steps.map((step) => step * scale + least));
        assert.deepEqual(found.steps, steps);
        assert.ok(Math.abs((found.scales[0] ?? NaN) / scale - 1) < 1e-4);
        assert.ok(Math.abs((found.offsets[0] ?? NaN) - (least + 8 * scale)) < 1e-5);
      }),
    );
  });

  it('keeps a block of one value as its offset', () => {
    const { held, scales, offsets } = between([...Array<number>(16).fill(-3.5), ...Array<number>(16).fill(0)]);
    assert.deepEqual([...scales, ...offsets], [1, 1, -3.5, 0]);
    assert.ok(held.every((value, i) => value === (i < block ? -3.5 : 0)));
  });

  it('refuses what is not finite, and lengths that disagree', () => {
    const others = Array<number>(14).fill(0);
    for (const bad of [[NaN, 0], [Infinity, 0], [-Infinity, 0], [3e38, -3e38]]) {
      assert.throws(() => between([...bad, ...others]), /Block 0 .* not finite/);
    }
    const floats = new Float32Array(16);
    const [bytes, one, two] = [new Uint8Array(8), new Float32Array(1), new Float32Array(2)];
    assert.throws(() => quantiseBetween(floats, 16, new Uint8Array(7), one, one), RangeError);
    assert.throws(() => quantiseBetween(floats, 8, bytes, one, one), RangeError);
    assert.throws(() => quantiseBetween(floats, 16, bytes, one, two), RangeError);
  });
});

describe('transposeInto', () => {
  it('puts blocks of rows and stripes of columns where a plain transposition has them', () => {
    fc.assert(
      fc.property(fc.nat(90), fc.nat(90), fc.nat(90), fc.nat(90), (extraRows, extraColumns, a, b) => {
        const rows = extraRows + 1;
        const columns = extraColumns + 1;
        const matrix = Int8Array.from({ length: rows * columns }, (_, i) => (i * 31) % 251);
        const cut = a % (rows + 1);
        const from = b % columns;
        const stripe = new Int8Array((columns - from) * rows);
        transposeInto(matrix.subarray(0, cut * columns), columns, from, stripe, rows, 0);
        transposeInto(matrix.subarray(cut * columns), columns, from, stripe, rows, cut);
        const expected = stripe.map((_, i) => {
          const column = from + Math.floor(i / rows);
          return matrix[(i % rows) * columns + column] ?? NaN;
        });
        assert.deepEqual(stripe, expected);
      }),
      { numRuns: 50 },
    );
  });
});
