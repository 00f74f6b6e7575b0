/**
 * `<dynamo-heatmap>`: one panel of J on a canvas. Colour for the value, an outline around what
 * survives, a ring around what is chosen. A canvas, because four hundred cells in each of five panels
 * change with every move of a slider, which no page of four thousand nodes follows within a frame.
 */
import { shorten, type Label } from '../model/label';
import type { Measures } from '../model/measures';
import { outline } from '../model/outline';
import type { Grid, Panel } from '../model/panels';
import { format, formatShort, tone, TONES } from '../model/scale';
import { colour, fonts, onTheme, toneColour } from './palette';

export interface HeatmapSpec {
  readonly grid: Grid;
  readonly measures: Measures;
  readonly panel: Panel;
  /** Cell under the pointer or the keyboard's cursor. */
  readonly here: { readonly row: number; readonly column: number } | undefined;
}

class HeatmapElement extends HTMLElement {
  readonly #canvas = document.createElement('canvas');
  #spec: HeatmapSpec | undefined;
  #endTheme: (() => void) | undefined;

  set spec(spec: HeatmapSpec) {
    const before = this.#spec;
    this.#spec = spec;
    const names = Object.keys(spec) as (keyof HeatmapSpec)[];
    if (this.isConnected && names.some((name) => before?.[name] !== spec[name])) this.#draw();
  }

  get spec(): HeatmapSpec | undefined {
    return this.#spec;
  }

  connectedCallback(): void {
    this.append(this.#canvas);
    this.#endTheme = onTheme(() => this.#draw());
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#endTheme?.();
  }

  #draw(): void {
    const spec = this.#spec;
    const context = this.#canvas.getContext('2d');
    if (!spec || !context) return;
    const { width, height } = spec.measures;
    const canvas = this.#canvas;
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      [canvas.width, canvas.height] = [w, h];
      [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    drawLabels(context, spec);
    context.translate(spec.measures.left, spec.measures.top);
    drawCells(context, spec);
    drawMarks(context, spec);
  }
}

function drawLabels(context: CanvasRenderingContext2D, { grid, measures, panel }: HeatmapSpec) {
  const { left, top, cellWidth, cellHeight, labelLength, columnLength } = measures;
  const chosen = cellOf(grid, panel.picture.best);
  const write = (text: string, most: number, label: Label | undefined, bold: boolean) => {
    const style = `${label?.name === true ? 'italic ' : ''}${bold ? 'bold ' : ''}`;
    context.font = `${style}11px ${fonts().mono}`;
    context.fillText(shorten(text, most), 0, 0);
  };
  const base = context.getTransform();
  context.direction = 'ltr';
  context.fillStyle = colour('--fore');
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const [row, { label }] of grid.rows.entries()) {
    context.setTransform(base.translate(left - 5, top + (row + 0.5) * cellHeight));
    const text = label.map((each) => each.text).join('·');
    write(text, labelLength, label[0], row === chosen?.row);
  }
  context.textAlign = 'left';
  for (const [column, label] of grid.columns?.entries() ?? []) {
    context.setTransform(base.translate(left + (column + 0.5) * cellWidth, top - 5).rotate(-90));
    write(label.text, columnLength, label, column === chosen?.column);
  }
  context.setTransform(base);
}

function drawCells(context: CanvasRenderingContext2D, spec: HeatmapSpec): void {
  const { grid, measures, panel } = spec;
  const { cellWidth, cellHeight } = measures;
  const byTone = new Map<number, [x: number, y: number][]>();
  const empty = new Path2D();
  for (const [row, { cells }] of grid.rows.entries()) {
    for (const [column, { place }] of cells.entries()) {
      const value = panel.valueAt(place);
      const [x, y] = [column * cellWidth, row * cellHeight];
      if (value > 0) {
        const own = byTone.get(tone(value)) ?? [];
        own.push([x, y]);
        byTone.set(tone(value), own);
      } else {
        empty.rect(x + 1, y + 1, cellWidth - 2, cellHeight - 2);
      }
    }
  }
  context.lineWidth = 1;
  context.strokeStyle = colour('--cell-line');
  context.stroke(empty);
  for (const [each, cells] of byTone) {
    context.fillStyle = toneColour(each);
    for (const [x, y] of cells) context.fillRect(x + 0.5, y + 0.5, cellWidth - 1, cellHeight - 1);
  }
  if (measures.values) drawValues(context, spec);
}

/** What a cell says: its value where there is room, its token where columns have no common label. */
function drawValues(context: CanvasRenderingContext2D, { grid, measures, panel }: HeatmapSpec) {
  const { cellWidth, cellHeight } = measures;
  const own = grid.columns === undefined;
  const { text: plain, mono } = fonts();
  const length = Math.max(2, Math.floor((cellWidth - 4) / 6.2));
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const [row, { cells }] of grid.rows.entries()) {
    for (const [column, { place, label }] of cells.entries()) {
      const value = panel.valueAt(place);
      const [x, y] = [(column + 0.5) * cellWidth, (row + 0.5) * cellHeight];
      context.fillStyle = colour(
        value === 0 ? '--quiet' : tone(value) > TONES * 0.62 ? '--ink-dark' : '--ink',
      );
      if (own) {
        context.font = `10.5px ${mono}`;
        context.fillText(shorten(label.text, length), x, y - 6);
      }
      const said = own ? (value > 0 ? format(value) : '') : formatShort(value);
      if (said === '') continue;
      context.font = `9.5px ${plain}`;
      context.fillText(said, x, own ? y + 8 : y + 0.5);
    }
  }
}

function drawMarks(context: CanvasRenderingContext2D, spec: HeatmapSpec): void {
  const { grid, measures, panel, here } = spec;
  const { picture } = panel;
  const { rows, columns, cellWidth, cellHeight } = measures;
  const survives = (row: number, column: number) =>
    picture.leftAt(grid.rows[row]?.cells[column]?.place ?? -1) > 0;
  context.lineWidth = 2;
  context.strokeStyle = colour('--survive');
  context.stroke(new Path2D(outline(rows, columns, survives, cellWidth, cellHeight)));
  const ring = (cell: HeatmapSpec['here'], stroke: string, dash: number[]) => {
    if (!cell) return;
    context.strokeStyle = colour(stroke);
    context.setLineDash(dash);
    const [x, y] = [cell.column * cellWidth, cell.row * cellHeight];
    context.strokeRect(x + 2, y + 2, cellWidth - 4, cellHeight - 4);
    context.setLineDash([]);
  };
  ring(cellOf(grid, picture.best), '--fore', [3, 2]);
  ring(here, '--accent', []);
}

function cellOf(grid: Grid, place: number | undefined): HeatmapSpec['here'] {
  for (const [row, { cells }] of grid.rows.entries()) {
    const column = cells.findIndex((cell) => cell.place === place);
    if (column >= 0) return { row, column };
  }
  return undefined;
}

customElements.define('dynamo-heatmap', HeatmapElement);
