/** Text in columns. */
import { fit, width, type Screen } from './terminal';

export type Align = 'left' | 'right';

const GAP = '  ';

/**
 * Columns padded to their widest cell; the first row is the heading. The last column is cut where
 * the screen ends.
 *
 * @param align of each column; those that are not named are on the left
 */
export function table(
  rows: readonly (readonly string[])[],
  screen: Screen,
  align: readonly Align[] = [],
): string {
  const count = rows[0]?.length ?? 0;
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => width(row[column] ?? ''))),
  );
  const before = widths.slice(0, -1).reduce((sum, cells) => sum + cells + GAP.length, 0);
  widths[count - 1] = Math.min(widths[count - 1] ?? 0, Math.max(1, screen.columns - before));
  return rows
    .map((row, i) => {
      const cells = widths.map((cells, column) =>
        pad(fit(row[column] ?? '', cells), cells, align[column] ?? 'left'),
      );
      const line = cells.join(GAP).trimEnd();
      return `${i === 0 ? screen.paint('bold', line) : line}\n`;
    })
    .join('');
}

function pad(text: string, cells: number, align: Align): string {
  const space = ' '.repeat(Math.max(0, cells - width(text)));
  return align === 'right' ? space + text : text + space;
}
