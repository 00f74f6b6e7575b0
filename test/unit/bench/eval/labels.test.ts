import assert from 'node:assert/strict';
import fc from 'fast-check';
import { placeLabels } from '../../../../bench/eval/plots/labels';

describe('the labels of a plot', () => {
  it('stand right above their points where there is room', () => {
    const points = [
      { x: 0, y: 50, label: 'a' },
      { x: 100, y: 50, label: 'b' },
    ];
    assert.deepEqual(placeLabels(points), [
      { x: 9, y: 42, label: 'a' },
      { x: 109, y: 42, label: 'b' },
    ]);
  });

  it('do not lie on one another, however close the points are', () => {
    const offset = fc.double({ min: 0, max: 30, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(offset, offset), { minLength: 2, maxLength: 5 }), (at) => {
        const placed = placeLabels(at.map(([x, y]) => ({ x, y, label: 'ε 0.97' })));
        for (const [i, a] of placed.entries()) {
          for (const b of placed.slice(i + 1)) {
            assert.ok(Math.abs(a.x - b.x) >= 36 || Math.abs(a.y - b.y) >= 12);
          }
        }
      }),
    );
  });
});
