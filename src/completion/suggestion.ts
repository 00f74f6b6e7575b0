/**
 * A suggestion and what becomes of it while the document changes: typing as suggested, accepting a
 * part, and taking characters back all lead to a context in which the rest of it still fits, with no
 * new request.
 */
import { replacedRight, WRITTEN_BY_EDITOR } from './postprocess/replaceRange';
import { newlineOf } from './text';
import type { CursorContext } from './types';

export interface Suggestion {
  /** Where it was asked for. */
  readonly context: CursorContext;
  /** What is inserted at the cursor, with the document's line breaks. Never empty. */
  readonly text: string;
  /** Characters right of the cursor, on its line, that the text replaces. */
  readonly replace: number;
  /** Ends of the decoding steps within `text`, ascending; the last one is its length. */
  readonly boundaries: readonly number[];
  /** Whether time ran out, so that there is more to come. */
  readonly open: boolean;
}

/** The most closing characters that an editor writes by itself at one place. */
export const MOST_CLOSERS = 8;

/**
 * What is left of `suggestion` at a later context; undefined when it does not fit or is used up.
 *
 * The text typed since must be the beginning of what was suggested. To the right, the editor may
 * have written closing brackets, and the user may have typed over those that the text replaces.
 */
export function restOf(suggestion: Suggestion, context: CursorContext): Suggestion | undefined {
  const before = suggestion.context;
  if (context.language !== before.language || !context.prefix.startsWith(before.prefix)) {
    return undefined;
  }
  const typed = context.prefix.slice(before.prefix.length);
  if (typed.length >= suggestion.text.length || !suggestion.text.startsWith(typed)) {
    return undefined;
  }
  const text = suggestion.text.slice(typed.length);
  const replace = replaceAt(suggestion, text, context);
  if (replace === undefined) return undefined;
  const boundaries = suggestion.boundaries
    .map((end) => end - typed.length)
    .filter((end) => end > 0);
  return { context, text, replace, boundaries, open: suggestion.open };
}

function replaceAt(
  suggestion: Suggestion,
  text: string,
  context: CursorContext,
): number | undefined {
  const before = suggestion.context.suffix;
  const now = context.suffix;
  if (now === before) return suggestion.replace;
  if (now.length > before.length) {
    const written = now.slice(0, now.length - before.length);
    const fits = written.length <= MOST_CLOSERS && WRITTEN_BY_EDITOR.test(written);
    if (!fits || !now.endsWith(before)) return undefined;
    return replacedRight(text, context);
  }
  const gone = before.length - now.length;
  return gone <= suggestion.replace && before.endsWith(now) ? suggestion.replace - gone : undefined;
}

/** The text up to the end of the next decoding step. */
export function nextStep(suggestion: Suggestion): string {
  return suggestion.text.slice(0, suggestion.boundaries[0] ?? suggestion.text.length);
}

/** The document around the cursor once `suggestion` is accepted. */
export function accepted({ context, text, replace }: Suggestion): CursorContext {
  return {
    ...context,
    prefix: context.prefix + text,
    suffix: context.suffix.slice(replace),
  };
}

/**
 * `suggestion` with what was asked for behind its end, for one that time cut short. Without what
 * stands behind a replaced part: the continuation knows only the text right of it.
 */
export function joined(suggestion: Suggestion, next: Suggestion): Suggestion {
  const { length } = suggestion.text;
  return {
    ...suggestion,
    text: suggestion.text + next.text,
    replace: suggestion.replace + next.replace,
    boundaries: [...suggestion.boundaries, ...next.boundaries.map((end) => length + end)],
    open: next.open,
  };
}

/**
 * Ends of decoding steps within the shown text.
 *
 * @param steps texts of the steps, which together are at least the text, line breaks `\n` or `\r\n`
 * @param text the shown text: a beginning of the steps' texts, with the document's line breaks
 */
export function stepBoundaries(
  steps: readonly string[],
  text: string,
  context: CursorContext,
): number[] {
  const width = newlineOf(context).length;
  const ends: number[] = [];
  let end = 0;
  for (const step of steps) {
    const plain = step.replace(/\r\n?/g, '\n');
    end += plain.length + (width - 1) * (plain.split('\n').length - 1);
    if (end >= text.length) break;
    if (end > (ends.at(-1) ?? 0)) ends.push(end);
  }
  return [...ends, text.length];
}
