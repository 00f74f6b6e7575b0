/**
 * Places in a document that a sweep completes at: spread evenly over its lines, each as if someone
 * had typed the first part of the line. The same document always gives the same places. Pure.
 */
import type { CursorContext } from '../../completion/types';

export function samplePlaces(text: string, language: string, count: number): CursorContext[] {
  const lines = linesOf(text).filter(({ content }) => content.trim().length >= 4);
  const chosen = new Set<Line>();
  for (let i = 0; i < count; i++) {
    const line = lines[Math.floor(((i + 0.5) * lines.length) / count)];
    if (line) chosen.add(line);
  }
  return [...chosen].map(({ start, content }) => ({
    prefix: text.slice(0, start + cutOf(content)),
    suffix: text.slice(start + content.length),
    language,
  }));
}

interface Line {
  /** Offset in the text. */
  readonly start: number;
  /** Without its line break. */
  readonly content: string;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const match of text.matchAll(/[^\r\n]+/g)) {
    lines.push({ start: match.index, content: match[0] });
  }
  return lines;
}

/** Behind a word or sign near the line's first third, but not inside a word. */
function cutOf(line: string): number {
  const indent = line.length - line.trimStart().length;
  const wanted = indent + Math.ceil((line.trimEnd().length - indent) / 3);
  for (let at = wanted; at < line.length; at++) {
    if (!/[\p{L}\p{N}_]/u.test(line[at] ?? '')) return at;
  }
  return wanted;
}
