/**
 * Where a stretch of text is after changes of the document elsewhere. Offsets are in UTF-16 units.
 */

export interface Change {
  readonly rangeOffset: number;
  readonly rangeLength: number;
  readonly text: string;
}

export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/**
 * `stretch` after `changes`, whose offsets are all of the document before them; undefined when one of
 * them reaches into it. What is inserted right at its start or end stays outside.
 */
export function afterChanges(stretch: Stretch, changes: readonly Change[]): Stretch | undefined {
  let by = 0;
  for (const { rangeOffset, rangeLength, text } of changes) {
    if (rangeOffset + rangeLength <= stretch.start) by += text.length - rangeLength;
    else if (rangeOffset < stretch.end) return undefined;
  }
  return { start: stretch.start + by, end: stretch.end + by };
}
