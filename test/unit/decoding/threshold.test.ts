import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Blur } from '../../../src/decoding/blur';
import { Cells } from '../../../src/decoding/cells';
import { otsuThreshold, staticThreshold } from '../../../src/decoding/threshold';
import * as naive from '../../fixtures/naive-decision';

const otsu = (...values: number[]) =>
  otsuThreshold({ values: Float64Array.from(values), zeros: 0 });

describe('staticThreshold', () => {
  it('asks ε_b of every token behind the first', () => {
    assert.deepEqual(
      [2, 3, 4].map((order) => staticThreshold(0.5, order)),
      [0.5, 0.25, 0.125],
    );
    assert.equal(staticThreshold(0, 3), 0);
  });
});

describe('otsuThreshold', () => {
  it('is the one value that all values have', () => {
    assert.equal(otsu(0.25, 0.25), 0.25);
    assert.equal(otsuThreshold({ values: new Float64Array(), zeros: 7 }), 0);
    assert.equal(otsu(0.1 + 0.2, 0.3), 0.3, 'equal but for rounding');
  });

  it('lies behind the lower of two groups', () => {
    const threshold = otsu(0.1, 0.11, 0.12, 0.9, 0.91);
    assert.ok(threshold >= 0.12 && threshold < 0.13, String(threshold));
  });

  it('equals a search through all cuts, and never drops the largest value', () => {
    const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.nat(30), (others, zeros) => {
        const all = [...others, ...Array<number>(zeros).fill(0)];
        const threshold = otsuThreshold({ values: Float64Array.from(others), zeros });
        assert.equal(threshold, naive.otsu(all));
        assert.ok(threshold <= Math.max(...all));
      }),
      { numRuns: 40 },
    );
  });
});

describe('Blur', () => {
  it('spreads a cell as ¼, ½, ¼ on each axis, and mirrors at the border', () => {
    const blur = new Blur();
    const blurred = (shape: number[], ...cells: [place: number, value: number][]) => {
      const list = new Cells();
      for (const [place, value] of cells) list.add(place, value);
      const { values, zeros } = blur.apply(list, shape);
      return [...Array<number>(zeros).fill(0), ...values].sort((a, b) => a - b);
    };
    assert.deepEqual(blurred([5], [2, 16]), [0, 0, 4, 4, 8]);
    assert.deepEqual(blurred([3], [1, 16]), [8, 8, 8], 'the border sees its neighbour twice');
    assert.deepEqual(blurred([1], [0, 16]), [16]);
    assert.deepEqual(
      blurred([3, 3], [0, 16]),
      [0, 0, 0, 0, 0, 1, 2, 2, 4].sort((a, b) => a - b),
    );
  });

  it('is the same whether few or many cells are not 0, in whatever order they are asked for', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
    const image = shapes.chain((shape) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const cell = fc.tuple(fc.nat(size - 1), fc.double({ min: 0, max: 1, noNaN: true }));
      return fc.record({ shape: fc.constant(shape), cells: fc.array(cell, { maxLength: 40 }) });
    });
    fc.assert(
      fc.property(fc.array(image, { minLength: 1, maxLength: 4 }), (images) => {
        const blur = new Blur();
        for (const { shape, cells } of images) {
          const size = shape.reduce((product, length) => product * length, 1);
          const dense = new Float64Array(size);
          for (const [place, value] of cells) dense[place] = value;
          const list = new Cells();
          for (const [place, value] of dense.entries()) if (value > 0) list.add(place, value);
          const at = (place: number) => {
            const coordinates: number[] = [];
            for (const length of shape.toReversed()) {
              coordinates.unshift(place % length);
              place = Math.floor(place / length);
            }
            return coordinates;
          };
          const expected = naive
            .blur(Array.from(dense, (value, place) => ({ at: at(place), value })))
            .map(({ value }) => value);
          const { values, zeros } = blur.apply(list, shape);
          const actual = [...values, ...Array<number>(zeros).fill(0)];
          const ascending = (a: number, b: number) => a - b;
          assert.deepEqual(actual.sort(ascending), expected.sort(ascending));
        }
      }),
    );
  });
});
