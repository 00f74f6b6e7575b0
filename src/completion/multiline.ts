/**
 * Whether a completion may have several lines. One line where the cursor stands inside a line,
 * several at a blank line and where a block begins.
 */
import { cursorLines, isBlank } from './text';
import type { CursorContext } from './types';

export type LineMode = 'auto' | 'single' | 'multiple';

/** @param multiline as requests say it */
export function lineMode(multiline: boolean | 'auto'): LineMode {
  if (multiline === 'auto') return 'auto';
  return multiline ? 'multiple' : 'single';
}

/** Languages in which a colon at a line's end begins a block. */
const COLON_BLOCKS = new Set(['python', 'yaml', 'nim', 'gdscript']);
/** Languages in which a word at a line's end begins a block. */
const WORD_BLOCKS: Readonly<Record<string, RegExp>> = {
  lua: /\b(?:then|do|else|repeat)$|\bfunction\b[^()]*\([^()]*\)$/,
  ruby: /\b(?:do|then|else|begin|ensure)(?:\s*\|[^|]*\|)?$|^\s*(?:def|class|module|if|unless|while)\b/,
  shellscript: /\b(?:then|do|else)$/,
  elixir: /\b(?:do|else)$/,
  julia: /\b(?:begin|else|do)$|^\s*(?:function|for|while|if|module|struct)\b/,
};

/** @param mode what the user asked for; `auto` decides by the text around the cursor */
export function allowsSeveralLines(context: CursorContext, mode: LineMode = 'auto'): boolean {
  if (mode !== 'auto') return mode === 'multiple';
  const { left, right } = cursorLines(context);
  if (isBlank(left)) return isBlank(right);
  const code = left.trimEnd();
  // `{|}` is the start of a block whose end the editor has already written.
  if (code.endsWith('{')) return /^\s*(?:\}[)\]}\s;,]*)?$/.test(right);
  if (!isBlank(right)) return false;
  if (COLON_BLOCKS.has(context.language) && code.endsWith(':')) return true;
  return WORD_BLOCKS[context.language]?.test(code) ?? false;
}
