/**
 * What may be sent to a terminal, and how wide it is there. Text of a model or a document must pass
 * through here first: an escape sequence in it would be obeyed. Knows nothing of results.
 */

export interface Screen {
  readonly paint: Paint;
  /** Character cells of a line; infinite where nobody looks at the output directly. */
  readonly columns: number;
}

export type Style = 'bold' | 'dim' | 'green';
export type Paint = (style: Style, text: string) => string;

/** A file or a pipe: no colours, any width. */
export const NO_SCREEN: Screen = { paint: (_, text) => text, columns: Infinity };

/** Select Graphic Rendition codes that begin and end a style. */
const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
};

export const colours: Paint = (style, text) => {
  const [begin, end] = CODES[style];
  return `\u001b[${begin}m${text}\u001b[${end}m`;
};

/** Colours only where the terminal has them and the environment does not decline them. */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  if (!stream.isTTY) return NO_SCREEN;
  const paint = stream.hasColors() ? colours : NO_SCREEN.paint;
  return { paint, columns: stream.columns > 0 ? stream.columns : 80 };
}

/** Text as it is, but for what could steer the terminal or turn its direction; that is named. */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, nameOf);
}

/** Text in one line in which every character can be seen. */
export function visible(text: string): string {
  return text
    .replaceAll('\n', '⏎')
    .replaceAll('\t', '→')
    .replaceAll(' ', '·')
    .replace(/[\p{C}\p{Z}]/gu, nameOf);
}

/** A message in one line, whatever a file's name or a model brought into it. */
export const oneLine = (text: string): string => printable(text.trim().replace(/\s*\n\s*/g, ' '));

/** ASCII's control characters have pictures; the others go by their number. */
function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '␡';
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}

/** Cells that `text`, of one line, takes. */
export function width(text: string): number {
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) cells += cellsOf(segment);
  return cells;
}

/** The beginning of `text` that fits, with an ellipsis when something is missing. */
export function fit(text: string, cells: number): string {
  if (width(text) <= cells) return text;
  let kept = '';
  let taken = 1; // The ellipsis.
  for (const { segment } of graphemes.segment(text)) {
    taken += cellsOf(segment);
    if (taken > cells) break;
    kept += segment;
  }
  return `${kept}…`;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function cellsOf(grapheme: string): number {
  if (ASCII.test(grapheme)) return 1;
  if (WIDE.test(grapheme)) return 2;
  return /^[\p{Mn}\p{Me}\p{Cf}]+$/u.test(grapheme) ? 0 : 1;
}

const ASCII = /^[ -~]$/;

/** Emoji, and the blocks whose East Asian width is wide or full (Unicode, annex 11). */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;
