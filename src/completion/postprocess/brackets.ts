/**
 * Which closing characters of a piece of code have no partner within it. A rough scan: it knows
 * brackets, quotes and backslashes, and no comments.
 */

const OPENERS: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const CLOSERS = new Set([')', ']', '}', '>', ';', ',']);
const QUOTES = new Set(['"', "'", '`']);

/** The quote that is open at the end of `line`, or ''. */
export function openQuote(line: string): string {
  let quote = '';
  for (let index = 0; index < line.length; index += 1) {
    const character = line.charAt(index);
    if (character === '\\') index += 1;
    else if (quote === '' && QUOTES.has(character)) quote = character;
    else if (character === quote) quote = '';
  }
  return quote;
}

/**
 * Closing brackets without opener, the quote that ends a string begun before the text, and
 * semicolons and commas outside any bracket of the text, in order.
 *
 * @param quote the quote that is open where `text` begins, or ''
 */
export function unmatchedClosers(text: string, quote = ''): string[] {
  const found: string[] = [];
  const expected: string[] = [];
  let inherited = quote !== '';
  let open = quote;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') {
      index += 1;
    } else if (character === '\n' && open !== '`') {
      // Only template strings run over lines; else it was an apostrophe.
      open = '';
      inherited = false;
    } else if (open !== '') {
      if (character !== open) continue;
      if (inherited) found.push(character);
      inherited = false;
      open = '';
    } else if (QUOTES.has(character)) {
      open = character;
    } else if (Object.hasOwn(OPENERS, character)) {
      expected.push(OPENERS[character] ?? '');
    } else if (CLOSERS.has(character)) {
      if (expected.at(-1) === character) expected.pop();
      else if (expected.length === 0) found.push(character);
    }
  }
  return found;
}
