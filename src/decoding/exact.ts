/**
 * Exact mode: the text of plain decoding, in fewer steps. A step feeds the token that is certain and
 * drafts behind it; the base's own predictions say how many of them hold (`verify.ts`).
 *
 * Knows steps and the cache. Where drafts come from, and how many are worth a row, is the drafter's
 * business.
 */
import type { Chooser } from './choose';
import type { Draft, Drafter } from './drafter';
import type { Stepper } from './stepper';
import type { Strategy } from './strategy';
import { verify } from './verify';

/** The most rows of a step. */
const MOST_ROWS = 8;

const NO_DRAFT: Draft = { tokens: [], source: 'base' };

export function exactStrategy(
  stepper: Stepper,
  choose: Chooser,
  drafter: Drafter,
  prompt: readonly number[],
): Strategy {
  drafter.begin(prompt);
  return {
    passed: (tokens) => drafter.passed(tokens),
    async advance(pending, room, signal) {
      const started = performance.now();
      const most = Math.min(room, MOST_ROWS) - pending.length;
      const draft = most > 0 ? await drafter.draft(pending, most, signal) : NO_DRAFT;
      const drafts = draft.tokens;
      const drafted = performance.now();
      const before = stepper.length;
      const rows = [...pending, ...drafts];
      let accepted = 0;
      try {
        const predictions = await stepper.step(rows, signal);
        const verified = verify(predictions.slice(pending.length - 1), drafts, choose);
        accepted = verified.accepted;
        drafter.learn(draft, accepted, {
          rows: rows.length,
          draftMs: drafted - started,
          stepMs: performance.now() - drafted,
        });
        return {
          choices: verified.choices,
          source: draft.source,
          rows: rows.length,
          drafted: drafts.length,
          held: accepted,
        };
      } finally {
        // Also where the step failed half way: what is left is what was certain before it.
        stepper.rewind(Math.min(stepper.length, before + pending.length + accepted));
      }
    },
  };
}
