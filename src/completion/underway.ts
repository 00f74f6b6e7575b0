/**
 * A completion that is still being written: whether it may be what a later context needs, and its
 * first line as soon as that is whole, so that it can be shown before the rest is there.
 */
import { WRITTEN_BY_EDITOR } from './postprocess/replaceRange';
import { postprocess } from './postprocess/index';
import { MOST_CLOSERS, stepBoundaries, type Suggestion } from './suggestion';
import { cursorLines, isBlank, normalizeNewlines } from './text';
import type { CursorContext } from './types';

export interface Underway {
  /** Where it was asked for. */
  readonly context: CursorContext;
  /** Texts of the decoding steps so far, as the model wrote them. */
  readonly steps: readonly string[];
}

/** Whether what was typed since agrees with what has been written so far. */
export function mayBecome({ context: before, steps }: Underway, context: CursorContext): boolean {
  if (context.language !== before.language || !context.prefix.startsWith(before.prefix)) {
    return false;
  }
  if (!goesOn(before.suffix, context.suffix)) return false;
  const typed = normalizeNewlines(context.prefix.slice(before.prefix.length));
  const written = normalizeNewlines(steps.join(''));
  return written.startsWith(typed) || typed.startsWith(written);
}

/** The same text on the right, but for closing characters that an editor writes and takes back. */
function goesOn(before: string, now: string): boolean {
  if (before === now) return true;
  const [longer, shorter] = before.length > now.length ? [before, now] : [now, before];
  const closers = longer.slice(0, longer.length - shorter.length);
  return (
    longer.endsWith(shorter) && closers.length <= MOST_CLOSERS && WRITTEN_BY_EDITOR.test(closers)
  );
}

/** What there is of it, for when nobody wants to wait longer; undefined while it is nothing to show. */
export function soFar({ context, steps }: Underway, multiline: boolean): Suggestion | undefined {
  const shown = postprocess(steps.join(''), context, { multiline, interrupted: true });
  if (!shown) return undefined;
  const { text, replace } = shown;
  return { context, text, replace, boundaries: stepBoundaries(steps, text, context), open: true };
}

/**
 * The first line of a text that goes on behind it; undefined while there is none, or none worth
 * showing. Not where closing characters stand right of the cursor: whether they are replaced, the
 * rest decides.
 */
export function firstLine({ context, steps }: Underway): Suggestion | undefined {
  if (!isBlank(cursorLines(context).right)) return undefined;
  const written = normalizeNewlines(steps.join(''));
  const end = /\S[^\n]*(?=\n)/.exec(written);
  if (!end) return undefined;
  const line = written.slice(0, end.index + end[0].length);
  const shown = postprocess(line, context, { multiline: true });
  if (!shown || shown.replace > 0) return undefined;
  const { text, replace } = shown;
  return { context, text, replace, boundaries: stepBoundaries(steps, text, context), open: true };
}
