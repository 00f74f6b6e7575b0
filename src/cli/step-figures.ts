/** What steps say about drafts and thresholds: how long they were, and which drafts held. Pure. */
import type { StepSummary } from '../engine/protocol';

type Draft = NonNullable<StepSummary['draft']>;

export interface DraftFigures {
  readonly steps: number;
  readonly tokens: number;
  readonly accepted: number;
  /** For the first, second, … draft of a step: how often it was judged, and how often it held. */
  readonly places: readonly { readonly tried: number; readonly held: number }[];
}

/** Steps of 1, 2, … tokens. */
export function histogram(lengths: readonly number[]): number[] {
  return Array.from(
    { length: Math.max(0, ...lengths) },
    (_, i) => lengths.filter((length) => length === i + 1).length,
  );
}

export function draftFigures(drafts: readonly Draft[], source: Draft['source']): DraftFigures {
  const own = drafts.filter((draft) => draft.source === source);
  const places = Array.from({ length: Math.max(0, ...own.map(({ tokens }) => tokens)) }, (_, i) => {
    // A draft is judged when all before it held.
    const judged = own.filter(({ tokens, accepted }) => i < tokens && i <= accepted);
    return { tried: judged.length, held: judged.filter(({ accepted }) => i < accepted).length };
  });
  return {
    steps: own.length,
    tokens: own.reduce((sum, { tokens }) => sum + tokens, 0),
    accepted: own.reduce((sum, { accepted }) => sum + accepted, 0),
    places: places.filter(({ tried }) => tried > 0),
  };
}

/** Figures of a generation's steps, as `bench --json` has them. */
export function stepFigures(steps: readonly StepSummary[]) {
  const drafts = steps.flatMap(({ draft }) => draft ?? []);
  return {
    lengths: histogram(steps.map(({ n }) => n)),
    drafts: { head: draftFigures(drafts, 'head'), lookup: draftFigures(drafts, 'lookup') },
  };
}

const NAMES = { head: 'heads', lookup: 'lookup' } as const;

/** A line on the lengths of steps and one for each source of drafts; none for plain steps alone. */
export function describeSteps({ lengths, drafts }: ReturnType<typeof stepFigures>): string[] {
  const all = lengths.reduce((sum, count) => sum + count, 0);
  const shares = lengths.flatMap((count, i) =>
    count > 0 ? `${i + 1}: ${percent(count / all)}` : [],
  );
  const lines = shares.length > 1 ? [`steps by tokens: ${shares.join(', ')}`] : [];
  for (const source of ['head', 'lookup'] as const) {
    const { tokens, accepted, places } = drafts[source];
    if (tokens === 0) continue;
    const held = places.map((place) => percent(place.held / place.tried));
    lines.push(
      `${NAMES[source]}: ${accepted} of ${tokens} drafts held; first, second, …: ${held.join(', ')}`,
    );
  }
  return lines;
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
