/** A step's trace as it leaves the engine: with the texts of its tokens, and bounded. */
import type { PromptFormat, TextTokenizer } from '../completion/types';
import type { StepTrace, TracedCandidates } from '../decoding/trace';
import { controlNames } from './prompt-text';
import { LIMITS } from './protocol';

/** Makes the traces of one generation. Undefined once there would be too much of them. */
export type TraceWriter = (trace: StepTrace) => StepTrace | undefined;

export function createTraceWriter(format: PromptFormat, tokenizer: TextTokenizer): TraceWriter {
  const names = controlNames(format, tokenizer);
  const decoder = new TextDecoder(); // Half a character becomes U+FFFD.
  const text = (id: number) => names.get(id) ?? decoder.decode(tokenizer.bytes(id));
  const texts = (ids: readonly number[]) => ids.map(text);
  const withTexts = (candidates: TracedCandidates) => ({
    ...candidates,
    texts: texts(candidates.ids),
  });
  let room = LIMITS.traced;

  return (trace) => {
    room -= sizeOf(trace);
    if (room < 0) return undefined;
    const { places, decision } = trace;
    return {
      ...trace,
      places: places.map(({ base, head, draft }) => ({
        ...(base && { base: withTexts(base) }),
        ...(head && { head: withTexts(head) }),
        ...(draft && { draft: { ...draft, text: text(draft.id) } }),
      })),
      ...(decision && {
        decision: {
          ...decision,
          cells: decision.cells.map((cell) => ({ ...cell, texts: texts(cell.ids) })),
        },
      }),
    };
  };
}

/** Numbers in a trace, about. */
function sizeOf({ places }: StepTrace): number {
  let size = 100;
  for (const { base, head } of places) {
    size += 3 * ((base?.ids.length ?? 0) + (head?.ids.length ?? 0));
  }
  return size;
}
