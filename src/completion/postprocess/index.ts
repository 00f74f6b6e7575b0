/**
 * From what the model wrote to what the editor shows: the rules in their order, and nothing else.
 */
import { newlineOf, normalizeNewlines, restoreNewlines } from '../text';
import type { CursorContext } from '../types';
import { closingLine } from './closingLine';
import { copiedSuffix } from './copiedSuffix';
import { dedent } from './dedent';
import { fence } from './fence';
import { followingLines } from './followingLines';
import { createJob, type Rule } from './job';
import { nothingNew } from './nothingNew';
import { repetition } from './repetition';
import { replaceRange } from './replaceRange';
import { singleLine } from './singleLine';
import { topLevel } from './topLevel';
import { trimEnd } from './trimEnd';
import { unfinished } from './unfinished';

export interface ShownCompletion {
  /** Text to insert, with the document's line breaks. */
  readonly text: string;
  /** Characters right of the cursor, on its line, that the text replaces. */
  readonly replace: number;
}

const RULES: readonly Rule[] = [
  repetition,
  singleLine,
  fence,
  dedent,
  topLevel,
  copiedSuffix,
  followingLines,
  unfinished,
  closingLine,
  trimEnd,
  nothingNew,
];

/**
 * @param raw what the model wrote, without the healed text
 * @returns undefined when nothing is worth showing
 */
export function postprocess(
  raw: string,
  context: CursorContext,
  options: { readonly multiline: boolean; readonly interrupted?: boolean },
): ShownCompletion | undefined {
  const job = createJob(context, options.multiline, true, options.interrupted);
  const text = RULES.reduce((kept, rule) => kept.slice(0, rule(kept, job)), normalizeNewlines(raw));
  const replace = replaceRange(text, job);
  if (text === '' || text === job.right.slice(0, replace)) return undefined;
  return { text: restoreNewlines(text, newlineOf(context)), replace };
}
