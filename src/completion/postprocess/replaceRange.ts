/**
 * How many characters right of the cursor a completion replaces. Editors close brackets and quotes
 * as one types; a completion that closes them itself must take their place, not stand in front.
 *
 *   foo(|)   +  a, b);    →  foo(a, b);        replaces 1
 *   foo(|)   +  g(x)      →  foo(g(x))         replaces 0
 */
import { openQuote, unmatchedClosers } from './brackets';
import type { CursorContext } from '../types';
import { createJob, type Job } from './job';

/** Brackets and quotes that an editor closes by itself. */
export const WRITTEN_BY_EDITOR = /^[)\]}>"'`]+$/;
/** What a completion may close, and so take the place of. */
const REPLACEABLE = /^[)\]}>"'`;,\s]+$/;

export function replaceRange(text: string, job: Job): number {
  const rest = job.right;
  if (!REPLACEABLE.test(rest)) return 0;
  const quote = openQuote(job.left);
  const closers = unmatchedClosers(text, rest.includes(quote) ? quote : '');
  let from = 0;
  let replaced = 0;
  for (const [index, character] of [...rest].entries()) {
    if (/\s/.test(character)) continue;
    const found = closers.indexOf(character, from);
    if (found < 0) break;
    from = found + 1;
    replaced = index + 1;
  }
  return replaced;
}

/** The same for text that was post-processed before, at another place. */
export function replacedRight(text: string, context: CursorContext): number {
  return replaceRange(text, createJob(context, true, true));
}
