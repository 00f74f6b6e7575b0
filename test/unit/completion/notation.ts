/**
 * Documents in tests: `|` marks the cursor (written `¦` where the text itself holds a bar), and
 * `⟦…⟧` holds what a completion inserts. What it replaces stands in `‹…›` behind it.
 */
import type { CursorContext } from '../../../src/completion/types';

export function at(document: string, language = 'typescript'): CursorContext {
  const mark = document.includes('¦') ? '¦' : '|';
  const cursor = document.indexOf(mark);
  if (cursor < 0 || document.includes(mark, cursor + 1)) {
    throw new Error(`One cursor is needed in ${JSON.stringify(document)}.`);
  }
  return { prefix: document.slice(0, cursor), suffix: document.slice(cursor + 1), language };
}

/** The document around a raw completion, `before⟦raw⟧after`, with the raw text apart. */
export function around(document: string, language?: string) {
  const match = /^([^]*?)⟦([^]*)⟧([^]*)$/.exec(document);
  if (match === null) throw new Error(`⟦…⟧ is needed in ${JSON.stringify(document)}.`);
  const [, prefix = '', raw = '', suffix = ''] = match;
  return { raw, context: { prefix, suffix, language: language ?? 'typescript' } };
}

/** A shown completion in its document, in the notation above. */
export function shown(
  context: CursorContext,
  completion: { text: string; replace: number } | undefined,
): string {
  if (completion === undefined) return `${context.prefix}|${context.suffix}`;
  const { text, replace } = completion;
  const replaced = replace > 0 ? `‹${context.suffix.slice(0, replace)}›` : '';
  return `${context.prefix}⟦${text}⟧${replaced}${context.suffix.slice(replace)}`;
}
