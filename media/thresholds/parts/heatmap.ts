/** A panel of J with its title, moved through by pointer or arrow keys; what is pointed at is told below. */
import { html, type TemplateResult } from 'lit';
import { cellAt, measure, type Measures } from '../model/measures';
import type { Grid, Panel } from '../model/panels';
import { lastOf } from '../model/memo';
import type { Page } from '../page';
import './heatmap-element';
import type { HeatmapSpec } from './heatmap-element';

/** Panels beside one another have the same grid. */
const measured = lastOf(measure);

export function heatmap(page: Page, panel: Panel, grid: Grid, width: number): TemplateResult {
  const { key, title } = panel;
  const measures = measured(grid, width);
  const { rows, columns } = measures;
  const spec: HeatmapSpec = { grid, measures, panel, here: cellOf(page, key) };
  const describe = `${title}: ${rows} by ${columns} cells. Arrow keys move through them.`;
  return html`<figure class="panel">
    <figcaption>${title}</figcaption>
    <dynamo-heatmap
      class="heatmap"
      data-panel=${key}
      tabindex="0"
      role="application"
      aria-roledescription="heatmap"
      aria-label=${describe}
      aria-describedby="readout"
      .spec=${spec}
      @keydown=${(event: KeyboardEvent) => onKey(event, page, key, measures)}
      @pointermove=${(event: PointerEvent) => onPointer(event, page, key, measures)}
      @pointerdown=${(event: PointerEvent) => onPointer(event, page, key, measures)}
      @pointerleave=${() => page.point(undefined)}
    ></dynamo-heatmap>
  </figure>`;
}

/** The panel's cell that is pointed at now, which is not yet drawn when events follow quickly. */
function cellOf({ state: { cell } }: Page, panel: string) {
  return cell?.panel === panel ? cell : undefined;
}

function onPointer(event: PointerEvent, page: Page, panel: string, m: Measures): void {
  const here = cellOf(page, panel);
  const at = cellAt(m, event.offsetX, event.offsetY);
  if (at?.row === here?.row && at?.column === here?.column) return;
  page.point(at && { panel, ...at });
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

function onKey(event: KeyboardEvent, page: Page, panel: string, m: Measures): void {
  if (event.key === 'Escape') return page.point(undefined);
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const here = cellOf(page, panel);
  const [row, column] = here ? [here.row + step[0], here.column + step[1]] : [0, 0];
  page.point({ panel, row: clamp(row, m.rows - 1), column: clamp(column, m.columns - 1) });
}

const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value));
