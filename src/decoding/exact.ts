/**
 * Exact mode: the text of plain decoding, in fewer steps. A step feeds the token that is certain and
 * drafts behind it; the base's own predictions say how many of them hold (`verify.ts`).
 *
 * Knows steps and the cache. Where drafts come from, and how many are worth a row, is the drafter's
 * business.
 */
import type { Chooser } from './choose';
import type { Draft, Drafter } from './drafter';
import type { RowPrediction, Stepper } from './stepper';
import type { Strategy } from './strategy';
import type { StepTrace } from './trace';
import { traceVerification, type TraceOptions } from './tracing';
import { verify } from './verify';

/** The most rows of a step. */
export const MOST_ROWS = 8;

const NO_DRAFT: Draft = { tokens: [], source: 'lookup' };

/**
 * @param drafter knows the prompt already
 * @param rows of a step at most
 */
export function exactStrategy(
  stepper: Stepper,
  choose: Chooser,
  drafter: Drafter,
  rows = MOST_ROWS,
  trace?: TraceOptions,
): Strategy {
  const mostRows = Math.min(rows, MOST_ROWS);
  return {
    passed: (tokens) => drafter.passed(tokens),
    async advance(pending, room, signal) {
      const started = performance.now();
      const most = Math.min(room, mostRows) - pending.length;
      const draft = most > 0 ? await drafter.draft(pending, most, signal) : NO_DRAFT;
      const { tokens: drafts, source } = draft;
      const draftMs = performance.now() - started;
      const before = stepper.length;
      const fed = [...pending, ...drafts];
      let accepted = 0;
      try {
        const predictions = await stepper.step(fed, signal);
        const stepped = performance.now();
        const judging = predictions.slice(pending.length - 1);
        const verified = verify(judging, drafts, choose);
        accepted = verified.accepted;
        const finished = performance.now();
        drafter.learn(draft, accepted, {
          rows: fed.length,
          draftMs,
          stepMs: finished - started - draftMs,
        });
        const decideMs = finished - stepped;
        return {
          choices: verified.choices,
          source,
          rows: fed.length,
          held: accepted,
          ...(drafts.length > 0 && { draft: { source, tokens: drafts.length, accepted } }),
          ...(trace && { trace: exactTrace(judging, draft, accepted, trace, draftMs, decideMs) }),
        };
      } finally {
        // Also where the step failed half way: what is left is what was certain before it.
        stepper.rewind(Math.min(stepper.length, before + pending.length + accepted));
      }
    },
  };
}

function exactTrace(
  predictions: readonly RowPrediction[],
  { tokens, source, proposed, kind }: Draft,
  accepted: number,
  options: TraceOptions,
  draftMs: number,
  decideMs: number,
): StepTrace {
  const links = proposed ?? [];
  return {
    places: traceVerification(predictions, tokens, source, accepted, links, options),
    ...(kind && links.length > 0 && { heads: kind }),
    draftMs,
    decideMs,
  };
}
