/**
 * Which part of a document goes into a prompt.
 *
 * The cut before the prefix depends only on the document's text and lies on a coarse grid, so it
 * stays where it is while the user types and the rows behind it stay in the KV cache. It moves by a
 * whole grid step when the budget is spent.
 */
import { isBlank, normalizeNewlines } from './text';
import type { TextTokenizer } from './types';

export interface Window {
  /** The text that was kept, line breaks normalised. */
  readonly text: string;
  /** Its tokens, at most the budget. */
  readonly tokens: number[];
  /** Whether the document has more on that side. */
  readonly truncated: boolean;
}

/** No token budget reaches further than this many characters a token. */
const REACH = 8;
const SMALLEST_STEP = 4;

/**
 * The end of `text` that fits `budget` tokens, from a line start where there is one.
 *
 * Cuts are tried on a grid of `budget` characters (about a third of the budget in tokens); text so
 * dense that this wastes most of the budget gets a finer one. Only finished lines decide, against
 * seven eighths of the budget: the number of tokens goes up and down while a word is typed, and the
 * cut must not go with it.
 */
export function prefixWindow(text: string, budget: number, tokenizer: TextTokenizer): Window {
  let best: Window = { text: '', tokens: [], truncated: text !== '' };
  if (budget <= 0 || text === '') return best;
  const earliest = Math.max(0, text.length - REACH * budget);
  for (let step = Math.max(16, budget); step >= SMALLEST_STEP; step = step >> 1) {
    const cuts = gridCuts(text, earliest, step);
    const { from, count } = fittingCut(text, cuts, settledEnd(text, step), budget, tokenizer);
    const window = firstWithin(text, cuts.slice(from), budget, tokenizer);
    if (window === undefined) continue;
    if (window.tokens.length > best.tokens.length) best = window;
    if (from === 0 || count >= (3 * budget) / 8) return best;
  }
  return best;
}

/** The start of `suffix` that fits `budget` tokens, in whole lines where one fits. */
export function suffixWindow(suffix: string, budget: number, tokenizer: TextTokenizer): Window {
  if (budget <= 0) return { text: '', tokens: [], truncated: suffix !== '' };
  let end = Math.min(suffix.length, REACH * budget);
  while (end > 0 && end < suffix.length && splitsCharacter(suffix, end)) end -= 1;
  let text = normalizeNewlines(suffix.slice(0, end));
  let tokens = tokenizer.encode(text);
  let truncated = end < suffix.length;
  if (truncated) {
    text = wholeLines(text);
    tokens = tokenizer.encode(text);
  }
  while (tokens.length > budget) {
    truncated = true;
    text = wholeLines(text.slice(0, charactersOf(tokens.slice(0, budget), text, tokenizer)));
    tokens = tokenizer.encode(text);
  }
  return { text, tokens, truncated };
}

/** The end of the last finished line; a grid point when the unfinished one is long. */
function settledEnd(text: string, step: number): number {
  const line = text.lastIndexOf('\n') + 1;
  return text.length - line < step ? line : text.length - (text.length % step);
}

/** The text behind the first of `cuts` where all of it, counted as one, is within the budget. */
function firstWithin(
  text: string,
  cuts: readonly number[],
  budget: number,
  tokenizer: TextTokenizer,
): Window | undefined {
  for (const cut of cuts) {
    const kept = normalizeNewlines(text.slice(cut));
    const tokens = tokenizer.encode(kept);
    if (tokens.length <= budget) return { text: kept, tokens, truncated: cut > 0 };
  }
  return undefined;
}

/** One cut a grid cell, in order: its first line start with text behind it, else the cell's start. */
function gridCuts(text: string, earliest: number, step: number): number[] {
  const cuts: number[] = [];
  for (let cell = Math.ceil(earliest / step) * step; cell < text.length; cell += step) {
    cuts.push(cell === 0 ? 0 : cutInCell(text, cell, Math.min(cell + step, text.length)));
  }
  return cuts;
}

function cutInCell(text: string, start: number, end: number): number {
  const cell = text.slice(start - 1, end);
  for (let newline = cell.indexOf('\n'); newline >= 0;) {
    const next = cell.indexOf('\n', newline + 1);
    // A cut in front of blank lines would part a run of newlines, which is often one token.
    if (!isBlank(cell.slice(newline + 1, next < 0 ? undefined : next))) return start + newline;
    newline = next;
  }
  let cut = start;
  while (cut < end && splitsCharacter(text, cut)) cut += 1;
  return cut;
}

/** The first of `cuts` behind which the text up to `settled` leaves an eighth of the budget free. */
function fittingCut(
  text: string,
  cuts: readonly number[],
  settled: number,
  budget: number,
  tokenizer: TextTokenizer,
): { from: number; count: number } {
  const most = budget - (budget >> 3);
  let count = 0;
  let from = cuts.length;
  let end = settled;
  while (from > 0) {
    const start = Math.min(cuts[from - 1] ?? 0, end);
    const block = tokenizer.encode(normalizeNewlines(text.slice(start, end))).length;
    if (count + block > most) break;
    count += block;
    from -= 1;
    end = start;
  }
  return { from, count };
}

/** Whether a cut at `index` would part a surrogate pair, a letter and its mark, or a CRLF. */
function splitsCharacter(text: string, index: number): boolean {
  const before = text[index - 1] ?? '';
  const after = String.fromCodePoint(text.codePointAt(index) ?? 0);
  if (/[\uDC00-\uDFFF]/.test(text[index] ?? '') && /[\uD800-\uDBFF]/.test(before)) return true;
  return /[\p{M}\u200d]/u.test(after) || before === '\u200d' || (before === '\r' && after === '\n');
}

/** `text` up to and with its last newline; all of it when it has none. */
function wholeLines(text: string): string {
  const newline = text.lastIndexOf('\n');
  return newline < 0 ? text : text.slice(0, newline + 1);
}

/** How many UTF-16 units of `text` the leading `tokens` stand for: fewer than all of them. */
function charactersOf(tokens: readonly number[], text: string, tokenizer: TextTokenizer): number {
  let bytes = tokens.reduce((sum, id) => sum + tokenizer.bytes(id).length, 0);
  let index = 0;
  while (index < text.length - 1) {
    const code = text.codePointAt(index) ?? 0;
    bytes -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes < 0) break;
    index += code > 0xffff ? 2 : 1;
  }
  while (index > 0 && splitsCharacter(text, index)) index -= 1;
  return index;
}
