/** Where things stand in a heatmap, in CSS pixels: labels on the left and above, cells in a grid. */
import type { Label } from './label';
import type { Grid } from './panels';

export interface Measures {
  readonly rows: number;
  readonly columns: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Room for the rows' labels. */
  readonly left: number;
  /** Room for the columns' labels. */
  readonly top: number;
  /** Characters of a row's label. */
  readonly labelLength: number;
  /** Characters of a column's label. */
  readonly columnLength: number;
  /** Whether cells have room for their values. */
  readonly values: boolean;
  readonly width: number;
  readonly height: number;
}

/** Of a character of a label. */
const CHARACTER = 6.7;
const LONGEST_LABEL = 14;

/** @param room pixels that the heatmap may be wide */
export function measure(grid: Grid, room: number): Measures {
  const rows = grid.rows.length;
  const columns = grid.rows[0]?.cells.length ?? 0;
  const longest = Math.max(3, ...grid.rows.map(({ label }) => lengthOf(label)));
  const most = room < 340 ? 8 : LONGEST_LABEL;
  const labelLength = Math.min(longest, most);
  const left = Math.ceil(labelLength * CHARACTER + 8);
  const fit = Math.floor((room - left - 4) / Math.max(1, columns));
  const own = grid.columns === undefined;
  const cellWidth = own ? Math.max(30, Math.min(84, fit)) : Math.max(9, Math.min(44, fit));
  const cellHeight = own ? 34 : Math.min(cellWidth, 30);
  const columnLongest = Math.max(2, ...(grid.columns ?? []).map(({ text }) => sizeOf(text)));
  const columnLength = Math.min(columnLongest, most);
  const top = own ? 2 : Math.ceil(columnLength * CHARACTER + 8);
  return {
    ...{ rows, columns, cellWidth, cellHeight, left, top, labelLength, columnLength },
    values: own || cellWidth >= 29,
    width: left + columns * cellWidth + 2,
    height: top + rows * cellHeight + 2,
  };
}

/** The cell at a point of the heatmap. */
export function cellAt(
  { rows, columns, left, top, cellWidth, cellHeight }: Measures,
  x: number,
  y: number,
): { readonly row: number; readonly column: number } | undefined {
  const [row, column] = [Math.floor((y - top) / cellHeight), Math.floor((x - left) / cellWidth)];
  const inside = row >= 0 && column >= 0 && row < rows && column < columns;
  return inside ? { row, column } : undefined;
}

const lengthOf = (labels: readonly Label[]) =>
  labels.reduce((sum, { text }) => sum + sizeOf(text), 0) + labels.length - 1;
const sizeOf = (text: string) => Math.min(LONGEST_LABEL, [...text].length);
