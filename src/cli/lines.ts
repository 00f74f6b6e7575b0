/**
 * Lines of JSONL. Node's readline would also break lines at U+2028 and U+2029, which JSON allows
 * within a string, and would keep a line of any length in memory.
 */

/** Instead of a line that is too long. */
export const TOO_LONG = Symbol('too long');

/** Lines between `\n`, without it; the last one need not have one. At most `most` UTF-16 units. */
export async function* linesOf(
  chunks: AsyncIterable<string>,
  most: number,
): AsyncGenerator<string | typeof TOO_LONG> {
  let pieces: string[] = [];
  let length = 0;
  const take = (): string | typeof TOO_LONG => {
    const line = length > most ? TOO_LONG : pieces.join('');
    pieces = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    for (let from = 0; ;) {
      const newline = chunk.indexOf('\n', from);
      const piece = chunk.slice(from, newline < 0 ? undefined : newline);
      length += piece.length;
      if (length <= most) pieces.push(piece);
      if (newline < 0) break;
      yield take();
      from = newline + 1;
    }
  }
  if (length > 0) yield take();
}
