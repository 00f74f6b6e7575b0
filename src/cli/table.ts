/** Text in columns. */
import { fit, NO_SCREEN, width, type Paint } from './terminal';

export type Align = 'left' | 'right';

export interface Look {
  readonly paint?: Paint;
  /** Of each column; those that are not named are on the left. */
  readonly align?: readonly Align[];
  /** Cells of a line; the last column is cut there. */
  readonly columns?: number;
}

const GAP = '  ';

/** Columns padded to their widest cell; the first row is the heading. */
export function table(
  rows: readonly (readonly string[])[],
  { paint = NO_SCREEN.paint, align = [], columns = Infinity }: Look = {},
): string {
  const count = rows[0]?.length ?? 0;
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => width(row[column] ?? ''))),
  );
  const before = widths.slice(0, -1).reduce((sum, cells) => sum + cells + GAP.length, 0);
  widths[count - 1] = Math.min(widths[count - 1] ?? 0, Math.max(1, columns - before));
  return rows
    .map((row, i) => {
      const cells = widths.map((cells, column) =>
        pad(fit(row[column] ?? '', cells), cells, align[column] ?? 'left'),
      );
      const line = cells.join(GAP).trimEnd();
      return `${i === 0 ? paint('bold', line) : line}\n`;
    })
    .join('');
}

function pad(text: string, cells: number, align: Align): string {
  const space = ' '.repeat(Math.max(0, cells - width(text)));
  return align === 'right' ? space + text : text + space;
}
