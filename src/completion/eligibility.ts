/**
 * Whether to ask for a completion at all, before any prompt is built. Pure rules; the editor fills
 * in what it knows.
 */
import { cursorLines, firstCharacter, isWordCharacter } from './text';
import type { CursorContext } from './types';

export interface AskSituation {
  readonly context: CursorContext;
  /** `automatic` while typing; `explicit` when the user asked with a key or a command. */
  readonly trigger: 'automatic' | 'explicit';
  /** Whether the selection is empty. */
  readonly selectionEmpty: boolean;
  readonly cursors: number;
  /** Whether a user writes such documents: not output panes, diffs' left sides, input boxes. */
  readonly writable: boolean;
  /** Whether the user wants completions in this language. */
  readonly languageEnabled: boolean;
  /** What the last change of the document was, if there was one since the last request. */
  readonly change?: 'insertion' | 'deletion';
}

export type Refusal =
  'readonly' | 'language' | 'selection' | 'cursors' | 'word' | 'text-right' | 'deletion';

/** An automatic request is for the end of a line, give or take closing brackets. */
export const MOST_TEXT_RIGHT = 8;

/** Why not to ask, or undefined when a completion may be asked for. */
export function refusal(situation: AskSituation): Refusal | undefined {
  const { context, trigger } = situation;
  if (!situation.writable) return 'readonly';
  if (!situation.languageEnabled) return 'language';
  if (!situation.selectionEmpty) return 'selection';
  if (situation.cursors !== 1) return 'cursors';
  if (isWordCharacter(firstCharacter(context.suffix))) return 'word';
  if (trigger === 'automatic') {
    if (situation.change === 'deletion') return 'deletion';
    const right = cursorLines(context).right.replace(/\s/g, '');
    if ([...right].length > MOST_TEXT_RIGHT) return 'text-right';
  }
  return undefined;
}

/**
 * The context in which the suggest widget's selected item is already accepted, and the text that a
 * completion must therefore be prefixed with; undefined when the item does not extend what is typed.
 *
 * @param item.text what the item inserts
 * @param item.typed the text in the item's range, which ends at the cursor
 */
export function withSelectedItem(
  context: CursorContext,
  item: { readonly text: string; readonly typed: string },
): CursorContext | undefined {
  if (!item.text.startsWith(item.typed) || !context.prefix.endsWith(item.typed)) return undefined;
  return { ...context, prefix: context.prefix + item.text.slice(item.typed.length) };
}
