/**
 * One panel of J as an SVG grid: colour for the value, an outline around what survives, a ring around
 * what is chosen. Arrow keys move a cursor; what it stands on is told below the panels.
 */
import { html, svg, nothing, type TemplateResult } from 'lit';
import { outline } from '../model/outline';
import type { Grid, GridRow, Panel } from '../model/panels';
import { format, formatShort, position } from '../model/scale';
import { shorten, type Label } from '../model/label';
import type { Page } from '../page';

interface Measures {
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly left: number;
  readonly top: number;
  readonly labelLength: number;
  readonly values: boolean;
}

const CHARACTER = 6.7;
const LONGEST_LABEL = 14;

export function heatmap(page: Page, panel: Panel, grid: Grid, width: number): TemplateResult {
  const { picture, key, title } = panel;
  const rows = grid.rows.length;
  const columns = grid.rows[0]?.cells.length ?? 0;
  const m = measure(grid, columns, width);
  const [total, height] = [m.left + columns * m.cellWidth + 2, m.top + rows * m.cellHeight + 2];
  const survives = (row: number, column: number) =>
    (picture.left[grid.rows[row]?.cells[column]?.place ?? -1] ?? 0) > 0;
  const { cell } = page.state;
  const here = cell && cell.panel === key ? cell : undefined;
  const chosen = placeIn(grid, picture.best);
  const move = (event: KeyboardEvent) => onKey(event, page, key, here, rows, columns);
  const describe = `${title}: ${rows} by ${columns} cells. Arrow keys move through them.`;
  return html`<figure class="panel">
    <figcaption>${title}</figcaption>
    <svg
      class="heatmap"
      data-panel=${key}
      viewBox="0 0 ${total} ${height}"
      width=${total}
      height=${height}
      tabindex="0"
      role="application"
      aria-roledescription="heatmap"
      aria-label=${describe}
      aria-describedby="readout"
      @keydown=${move}
      @pointerleave=${() => page.point(undefined)}
    >
      ${grid.columns?.map((label, column) => columnLabel(label, column, m, chosen?.column))}
      ${grid.rows.map((row, index) => rowLabel(row, index, m, chosen?.row))}
      <g transform="translate(${m.left} ${m.top})">
        ${grid.rows.map((row, r) =>
          row.cells.map(({ place, label }, c) => {
            const value = panel.values[place] ?? 0;
            const point = () => page.point({ panel: key, row: r, column: c });
            return svg`<g
              class=${value > 0 ? 'cell' : 'cell none'}
              data-place=${place}
              data-value=${value}
              @pointerenter=${point}
              @click=${point}
            >
              <rect
                x=${c * m.cellWidth + 0.5}
                y=${r * m.cellHeight + 0.5}
                width=${m.cellWidth - 1}
                height=${m.cellHeight - 1}
                rx="1.5"
                class=${`tone-${tone(value)}`}
              ></rect>
              ${inside(label, value, r, c, m, grid.columns === undefined)}
            </g>`;
          }),
        )}
        <path
          class="survivors"
          d=${outline(rows, columns, survives, m.cellWidth, m.cellHeight)}
        ></path>
        ${chosen ? ring('chosen', chosen.row, chosen.column, m) : nothing}
        ${here ? ring('cursor', here.row, here.column, m) : nothing}
      </g>
    </svg>
  </figure>`;
}

/** Tones 0 to 32 of the colour scale; the style sheet has their colours. */
export const TONES = 32;
export const tone = (value: number): number => Math.round(position(value) * TONES);

function measure(grid: Grid, columns: number, width: number): Measures {
  const own = grid.columns === undefined;
  const length = (labels: readonly Label[]) =>
    labels.reduce((sum, { text }) => sum + size(text), 0);
  const longest = Math.max(3, ...grid.rows.map(({ label }) => length(label)));
  const labelLength = Math.min(longest, width < 340 ? 8 : LONGEST_LABEL);
  const left = labelLength * CHARACTER + 8;
  const fit = (width - left - 4) / Math.max(1, columns);
  if (own) {
    const cellWidth = Math.max(30, Math.min(84, fit));
    return { cellWidth, cellHeight: 34, left, top: 2, labelLength, values: true };
  }
  const cellWidth = Math.max(9, Math.min(44, fit));
  const columnLongest = Math.max(2, ...(grid.columns ?? []).map(({ text }) => size(text)));
  const top = Math.min(columnLongest, labelLength) * CHARACTER + 8;
  return {
    cellWidth,
    cellHeight: Math.min(cellWidth, 30),
    left,
    top,
    labelLength,
    values: cellWidth >= 29,
  };
}

function columnLabel(label: Label, column: number, m: Measures, chosen: number | undefined) {
  const x = m.left + (column + 0.5) * m.cellWidth;
  return svg`<text
    class=${labelClass(label, column === chosen)}
    transform="translate(${x + 4} ${m.top - 5}) rotate(-90)"
  >${shorten(label.text, m.labelLength)}<title>${label.text}</title></text>`;
}

function rowLabel({ label }: GridRow, row: number, m: Measures, chosen: number | undefined) {
  const text = label.map((each) => each.text).join('·');
  return svg`<text
    class=${labelClass(label[0], row === chosen)}
    text-anchor="end"
    x=${m.left - 5}
    y=${m.top + (row + 0.5) * m.cellHeight + 4}
  >${shorten(text, m.labelLength)}<title>${text}</title></text>`;
}

const labelClass = (label: Label | undefined, chosen: boolean) =>
  `label${label?.name === true ? ' name' : ''}${chosen ? ' taken' : ''}`;

/** What a cell says: its value where there is room, its token where columns have no common label. */
function inside(
  label: Label,
  value: number,
  row: number,
  column: number,
  m: Measures,
  own: boolean,
) {
  if (!m.values) return nothing;
  const x = (column + 0.5) * m.cellWidth;
  const y = (row + 0.5) * m.cellHeight;
  const ink = tone(value) > TONES * 0.62 ? 'value dark' : 'value';
  if (!own) return svg`<text class=${ink} x=${x} y=${y + 3.5}>${formatShort(value)}</text>`;
  const length = Math.max(2, Math.floor((m.cellWidth - 4) / 6.2));
  return svg`<text class=${`${ink} token`} x=${x} y=${y - 3}>${shorten(label.text, length)}</text>
    <text class=${ink} x=${x} y=${y + 11}>${value > 0 ? format(value) : ''}</text>`;
}

function ring(kind: string, row: number, column: number, m: Measures) {
  return svg`<rect
    class=${kind}
    x=${column * m.cellWidth + 1}
    y=${row * m.cellHeight + 1}
    width=${m.cellWidth - 2}
    height=${m.cellHeight - 2}
    rx="2"
  ></rect>`;
}

function placeIn(grid: Grid, best: number | undefined) {
  for (const [row, { cells }] of grid.rows.entries()) {
    const column = cells.findIndex(({ place }) => place === best);
    if (column >= 0) return { row, column };
  }
  return undefined;
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

function onKey(
  event: KeyboardEvent,
  page: Page,
  panel: string,
  here: { readonly row: number; readonly column: number } | undefined,
  rows: number,
  columns: number,
): void {
  if (event.key === 'Escape') return page.point(undefined);
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const [row, column] = here ? [here.row + step[0], here.column + step[1]] : [0, 0];
  page.point({ panel, row: clamp(row, rows - 1), column: clamp(column, columns - 1) });
}

const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value));
const size = (text: string) => Math.min(LONGEST_LABEL, [...text].length);
