/**
 * When to stop decoding early: asked between decoding steps with all the text so far. Uses the rules
 * of postprocess/ on text that still grows; whatever it keeps is post-processed afterwards.
 */
import { normalizeNewlines } from './text';
import { copiedSuffix } from './postprocess/copiedSuffix';
import { dedent } from './postprocess/dedent';
import { fence } from './postprocess/fence';
import { followingLines } from './postprocess/followingLines';
import { createJob, type Rule } from './postprocess/job';
import { repeatedEnd } from './postprocess/repetition';
import { singleLine } from './postprocess/singleLine';
import { topLevel } from './postprocess/topLevel';
import type { CursorContext } from './types';

export type TextStopReason = 'newline' | 'repetition' | 'suffix' | 'dedent' | 'fence' | 'topLevel';

export interface StopDecision {
  readonly reason: TextStopReason;
  /** Leading characters (UTF-16 units) of the text that belong to the completion. */
  readonly keep: number;
}

export interface Stopper {
  /**
   * @param text the completion so far, without the healed text
   * @param tokens its token ids so far
   */
  next(text: string, tokens: readonly number[]): StopDecision | undefined;
}

/** [longest period, tokens looked at]: the last tokens repeat themselves with that period. */
const REPETITIONS: readonly (readonly [period: number, window: number])[] = [
  [1, 10],
  [10, 30],
  [20, 45],
];

export function createStopper(options: {
  readonly context: CursorContext;
  readonly multiline: boolean;
}): Stopper {
  const job = createJob(options.context, options.multiline, false);
  const rules: readonly (readonly [TextStopReason, Rule])[] = [
    ['newline', singleLine],
    ['fence', fence],
    ['dedent', dedent],
    ['topLevel', topLevel],
    ['suffix', copiedLine],
    ['suffix', followingLines],
  ];
  return {
    next(raw, tokens) {
      const text = normalizeNewlines(raw);
      let decision: StopDecision | undefined;
      for (const [reason, rule] of rules) {
        const keep = rule(text, job);
        if (keep < (decision?.keep ?? text.length)) decision = { reason, keep };
      }
      if (decision === undefined && repeats(tokens)) {
        decision = { reason: 'repetition', keep: repeatedEnd(text, 2) };
      }
      // Lengths are of the normalised text; a model that writes CRLF has more to keep.
      if (decision === undefined || text.length === raw.length) return decision;
      return { ...decision, keep: rawLength(raw, decision.keep) };
    },
  };
}

/** Stops at the end of the first line that has text, and for no other reason. */
export function createLineStopper(context: CursorContext): Stopper {
  const job = createJob(context, false, false);
  return {
    next(text) {
      const keep = singleLine(text, job);
      return keep < text.length ? { reason: 'newline', keep } : undefined;
    },
  };
}

/** The copied suffix, once the line that copies it is finished: it might still go on. */
const copiedLine: Rule = (text, job) =>
  text.includes('\n') ? copiedSuffix(text, job) : text.length;

/** Whether the end of `tokens` goes round in circles. */
export function repeats(tokens: readonly number[]): boolean {
  return REPETITIONS.some(([longest, window]) => {
    const start = tokens.length - window;
    if (start < 0) return false;
    for (let period = 1; period <= longest; period += 1) {
      let index = start + period;
      while (index < tokens.length && tokens[index] === tokens[index - period]) index += 1;
      if (index === tokens.length) return true;
    }
    return false;
  });
}

function rawLength(raw: string, keep: number): number {
  let index = 0;
  for (let kept = 0; kept < keep; kept += 1) index += raw.startsWith('\r\n', index) ? 2 : 1;
  return index;
}
