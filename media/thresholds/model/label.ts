/**
 * Tokens as labels: everything that a reader could not see, or that would rearrange what stands
 * around it, is shown by a sign or by its code. A label is plain text for a text node.
 */
import type { InspectedToken } from '../../../src/engine/inspection';

const SIGNS: Readonly<Record<string, string>> = {
  ' ': '␣',
  '\n': '⏎',
  '\r': '␍',
  '\t': '⇥',
  '\u00a0': '⍽',
};

/** Format characters, other spaces, combining marks without a base, surrogates, unassigned. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\ufffc\ufffd]/u;

export interface Label {
  readonly text: string;
  /** Whether it is a name (of a control token, of bytes) and not what the token writes. */
  readonly name: boolean;
}

export function labelOf({ kind, text, id }: InspectedToken): Label {
  if (kind === 'control') return { text: text === '' ? `#${id}` : visible(text), name: true };
  if (kind === 'bytes') return { text: (text.match(/../g) ?? []).join(' '), name: true };
  return { text: visible(text), name: false };
}

/** Text with whitespace as signs and hidden characters as codes. */
export function visible(text: string): string {
  let shown = '';
  for (const character of text) {
    shown += SIGNS[character] ?? (HIDDEN.test(character) ? code(character) : character);
  }
  return shown;
}

/** The same for running text: spaces and line breaks stay what they are. */
export function readable(text: string): string {
  let shown = '';
  for (const character of text) {
    const stays = character === ' ' || character === '\n' || character === '\t';
    shown += stays || !HIDDEN.test(character) ? character : (SIGNS[character] ?? code(character));
  }
  return shown;
}

/** At most `length` characters, the end cut off. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

function code(character: string): string {
  return `⟨${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}
