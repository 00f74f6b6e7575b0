/**
 * Small questions about characters and lines. The rest of this room works on text whose only line
 * break is `\n`; here is where other line breaks come in and go out.
 */
import type { CursorContext } from './types';

const WORD = /[\p{L}\p{N}\p{M}_]/u;
const PROSE = new Set(['plaintext', 'markdown']);

/** A letter, a digit, a combining mark or an underscore. */
export function isWordCharacter(character: string): boolean {
  return WORD.test(character);
}

/** The first character (code point) of `text`, or '' when it is empty. */
export function firstCharacter(text: string): string {
  const code = text.codePointAt(0);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** Languages that are continued rather than filled in. */
export function isProse(language: string): boolean {
  return PROSE.has(language);
}

export function normalizeNewlines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/** The text left of the cursor; a cursor within a CRLF stands in front of it. */
export function leftOf(context: CursorContext): string {
  const { prefix, suffix } = context;
  return prefix.endsWith('\r') && suffix.startsWith('\n') ? prefix.slice(0, -1) : prefix;
}

/** The line break of a document; where only its text is known, the one nearest to the cursor. */
export function newlineOf(context: CursorContext): '\n' | '\r\n' {
  if (context.newline) return context.newline;
  const before = context.prefix.lastIndexOf('\n');
  const after = context.suffix.indexOf('\n');
  if (before >= 0) return context.prefix[before - 1] === '\r' ? '\r\n' : '\n';
  return after >= 0 && context.suffix[after - 1] === '\r' ? '\r\n' : '\n';
}

/** Gives `text`, whose line breaks are `\n`, the document's line breaks. */
export function restoreNewlines(text: string, newline: '\n' | '\r\n'): string {
  return newline === '\n' ? text : text.replaceAll('\n', newline);
}

/** Columns of leading white space; a tab reaches the next multiple of four. */
export function indentation(line: string): number {
  let columns = 0;
  for (const character of line) {
    if (character === '\t') columns += 4 - (columns % 4);
    else if (character === ' ') columns += 1;
    else break;
  }
  return columns;
}

/** The leading white space of a line, as it is. */
export const indentationOf = (line: string): string => /^[ \t]*/.exec(line)?.[0] ?? '';

export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** Lines around the cursor, line breaks normalised; neither looks further than `reach` characters. */
export interface CursorLines {
  /** The cursor's line left of the cursor. */
  readonly left: string;
  /** The cursor's line right of the cursor. */
  readonly right: string;
  /** The lines below the cursor's. */
  readonly below: readonly string[];
}

export function cursorLines(context: CursorContext, reach = 4096): CursorLines {
  const prefix = normalizeNewlines(leftOf(context).slice(-reach));
  const [right = '', ...below] = normalizeNewlines(context.suffix.slice(0, reach)).split('\n');
  return { left: prefix.slice(prefix.lastIndexOf('\n') + 1), right, below };
}
