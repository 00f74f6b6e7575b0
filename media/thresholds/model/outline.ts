/** The outline of a set of cells of a grid, as one SVG path. */

/**
 * @param inside whether a cell belongs to the set; asked for cells outside the grid too
 * @param width of a cell
 * @param height of a cell
 */
export function outline(
  rows: number,
  columns: number,
  inside: (row: number, column: number) => boolean,
  width: number,
  height: number,
): string {
  const holds = (row: number, column: number) =>
    row >= 0 && column >= 0 && row < rows && column < columns && inside(row, column);
  let path = '';
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const here = holds(row, column);
      const [x, y] = [column * width, row * height];
      if (here !== holds(row - 1, column)) path += `M${x} ${y}h${width}`;
      if (here !== holds(row, column - 1)) path += `M${x} ${y}v${height}`;
    }
  }
  return path;
}
