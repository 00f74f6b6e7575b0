import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cellAt, measure } from '../../../media/thresholds/model/measures';
import type { Label } from '../../../media/thresholds/model/label';
import type { Grid } from '../../../media/thresholds/model/panels';

const label = (text: string): Label => ({ text, name: false });
function grid(rows: number, columns: number, own: boolean): Grid {
  const cells = Array.from({ length: columns }, (_, place) => ({ place, label: label('word') }));
  return {
    rows: Array.from({ length: rows }, () => ({ label: [label('first')], cells })),
    columns: own ? undefined : cells.map((cell) => cell.label),
  };
}
const anyGrid = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), fc.boolean())
  .map((sizes) => grid(...sizes));

describe('the measures of a heatmap', () => {
  it('find the cell that a point lies in, and none outside', () => {
    fc.assert(
      fc.property(anyGrid, fc.integer({ min: 200, max: 1400 }), (any, room) => {
        const m = measure(any, room);
        for (const [row, column] of [
          [0, 0],
          [m.rows - 1, m.columns - 1],
        ] as const) {
          const x = m.left + (column + 0.5) * m.cellWidth;
          const y = m.top + (row + 0.5) * m.cellHeight;
          assert.deepEqual(cellAt(m, x, y), { row, column });
        }
        assert.equal(cellAt(m, m.left - 1, m.top + 1), undefined);
        assert.equal(cellAt(m, m.width, m.height), undefined);
      }),
    );
  });

  it('give columns the room of their own labels, however short those of the rows are', () => {
    const cells = [{ place: 0, label: label('␣using') }];
    const rows = [{ label: [label('a')], cells }];
    assert.equal(measure({ rows, columns: [label('␣using')] }, 300).columnLength, 6);
  });

  it('fit the room that there is, down to the smallest cells', () => {
    for (const room of [300, 600, 1200]) {
      assert.ok(measure(grid(10, 10, false), room).width <= room, `${room}`);
    }
  });
});
