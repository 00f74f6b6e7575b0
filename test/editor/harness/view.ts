/** The threshold view's page inside a window of VS Code. */
import assert from 'node:assert/strict';
import type { Frame } from 'playwright-core';
import type { HeatmapSpec } from '../../../media/thresholds/parts/heatmap-element';
import type { EditorWindow } from './window';

/** The frame that has drawn the view; it is another one whenever the panel is shown anew. */
export async function viewFrame(window: EditorWindow): Promise<Frame> {
  const found = await window.until(
    'view',
    async () => {
      for (const frame of window.page.frames()) {
        const drawn = await frame
          .locator('#view[data-drawn]')
          .count()
          .catch(() => 0);
        if (drawn > 0) return frame;
      }
      return undefined;
    },
    (frame) => frame !== undefined,
  );
  assert.ok(found);
  return found;
}

export interface DrawnCell {
  /** In J. */
  readonly place: number;
  readonly value: number;
  /** Red, green, blue and opacity that it has on the canvas. */
  readonly colour: readonly number[];
}

/** Every cell of a panel, row by row. */
export async function drawnCells(view: Frame, panel?: string): Promise<readonly DrawnCell[]> {
  const heatmap = `dynamo-heatmap${panel === undefined ? '' : `[data-panel="${panel}"]`}`;
  return await view.locator(heatmap).evaluate((element) => {
    const { spec } = element as HTMLElement & { spec: HeatmapSpec };
    const context = element.querySelector('canvas')?.getContext('2d');
    const { left, top, cellWidth, cellHeight } = spec.measures;
    return spec.grid.rows.flatMap((row, r) =>
      row.cells.map(({ place }, c) => {
        // Near the cell's corner, where no text stands.
        const x = (left + c * cellWidth + 4) * devicePixelRatio;
        const y = (top + (r + 1) * cellHeight - 4) * devicePixelRatio;
        const pixel = context?.getImageData(Math.round(x), Math.round(y), 1, 1).data ?? [];
        return { place, value: spec.panel.valueAt(place), colour: [...pixel] };
      }),
    );
  });
}
