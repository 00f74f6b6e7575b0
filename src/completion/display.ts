/**
 * How a suggestion is handed to an editor: as a replacement of the cursor's line from its start, so
 * that the text does not jump when the editor compares it with what is being typed.
 */
import { cursorLines } from './text';
import type { Suggestion } from './suggestion';

export interface Replacement {
  /** Characters left and right of the cursor, on its line, that `text` takes the place of. */
  readonly left: number;
  readonly right: number;
  readonly text: string;
}

/**
 * @param fixed the text left of the cursor that the editor demands as the beginning, when a list of
 *   its own has an item selected: what the range holds and what the item makes of it
 */
export function replacement(
  suggestion: Suggestion,
  fixed?: { readonly typed: string; readonly text: string },
): Replacement {
  const { text, replace } = suggestion;
  if (fixed) return { left: fixed.typed.length, right: replace, text: fixed.text + text };
  const { left } = cursorLines(suggestion.context);
  return { left: left.length, right: replace, text: left + text };
}
