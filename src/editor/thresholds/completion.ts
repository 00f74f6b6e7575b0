/** A completion's result as the threshold view shows it. Pure. */
import type { ViewCompletion, ViewStep } from '../../../media/thresholds/messages';
import type { CompletionResult, StepSummary } from '../../engine/protocol';

/** Texts are shown, not used: nobody reads more of one step. */
const MOST_TEXT = 10_000;

export function viewOf(
  result: CompletionResult,
  origin: ViewCompletion['origin'],
  where: string,
): ViewCompletion {
  const { mode, model, text, tokens, promptTokens, reusedTokens, stopReason } = result;
  const { prefillMs, decodeMs, steps } = result;
  return {
    origin,
    where,
    mode,
    model,
    steps: steps.map(stepOf),
    text,
    tokens,
    promptTokens,
    reusedTokens,
    prefillMs,
    decodeMs,
    stopReason,
    steppable: idsBefore(result, steps.length) !== undefined,
  };
}

/** Ids of the tokens of the first `count` steps; undefined when the result does not name them. */
export function idsBefore({ steps }: CompletionResult, count: number): number[] | undefined {
  const ids: number[] = [];
  for (const step of steps.slice(0, count)) {
    if (!step.ids) return undefined;
    ids.push(...step.ids);
  }
  return ids;
}

function stepOf({ n, text, source, confidence, rows, ms, trace }: StepSummary): ViewStep {
  const rejected = (trace?.places ?? []).flatMap(({ draft }) =>
    draft && draft.fate !== 'accepted' ? [draft.text ?? ''] : [],
  );
  return {
    n,
    text,
    source,
    confidence,
    rows,
    ms,
    rejected: rejected.join('').slice(0, MOST_TEXT),
  };
}
