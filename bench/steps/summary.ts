/**
 * Figures of a run, by kind of text and mode. Pure.
 *
 * What is decoded counts behind the first token, which the prefill gives: the rest of fast mode's first
 * step too. Steps are counted behind the first one, and their tokens as far as they are part of the text:
 * what a last step said behind the line's end is thrown away.
 */
import { draftFigures, histogram, type DraftFigures } from '../../src/cli/step-figures';
import type { Interval } from '../infilling/statistics';
import { sum } from '../numbers';
import { msPerToken, speedOf, type Decoded, type Speed } from '../speed';
import { CLUSTER_NAMES, clustered } from './clusters';
import { pairedDifference, type Difference } from './paired';
import type { Outcome, ResultRow, Results } from './results';

export interface ModeFigures {
  readonly mode: string;
  /** Decoded in this mode; there may be more in others. */
  readonly tasks: number;
  readonly tokens: number;
  /** Behind the first one of each text. */
  readonly steps: number;
  /** Of those. */
  readonly tokensPerStep: number;
  /** Of those with 1, 2, … tokens. */
  readonly lengths: readonly number[];
  readonly msPerToken: number;
  /** Decode time of plain decoding over this mode's, a token, and its 95 % interval. */
  readonly speedUp: number;
  readonly speedUpInterval: Interval;
  /** Tasks whose text, tokens and end are plain decoding's. */
  readonly same: number;
  readonly drafts: Readonly<Record<'head' | 'lookup', DraftFigures>>;
  /** Share of texts that pass their tests, where there are some, beside plain decoding's. */
  readonly passed?: Difference;
}

export interface KindFigures {
  readonly kind: ResultRow['kind'];
  readonly tasks: number;
  /** Problems or files that these are of. */
  readonly clusters: number;
  readonly modes: readonly ModeFigures[];
}

export function figuresOf({ header, rows }: Results): KindFigures[] {
  const kinds = new Map<ResultRow['kind'], ResultRow[]>();
  for (const row of rows.values()) {
    const list = kinds.get(row.kind) ?? [];
    list.push(row);
    kinds.set(row.kind, list);
  }
  return [...kinds].map(([kind, own]) => ({
    kind,
    tasks: own.length,
    clusters: clustered(own).length,
    modes: header.modes.map((mode) => modeFigures(mode, own)),
  }));
}

export function modeFigures(mode: string, rows: readonly ResultRow[]): ModeFigures {
  const pairs = rows.flatMap(({ modes }): [Outcome, Outcome][] => {
    const [plain, made] = [modes['ar'], modes[mode]];
    return plain && made ? [[plain, made]] : [];
  });
  const own = pairs.map(([, outcome]) => outcome);
  const lengths = own.flatMap(laterSteps);
  const drafts = own.flatMap((outcome) => outcome.drafts);
  const { ratio, interval } = speedAgainst(rows, mode, 'ar');
  return {
    mode,
    tasks: pairs.length,
    tokens: sum(own.map(({ tokens }) => tokens)),
    steps: lengths.length,
    tokensPerStep: sum(lengths) / lengths.length,
    lengths: histogram(lengths),
    msPerToken: msPerToken([decodedOf(own)]),
    speedUp: ratio,
    speedUpInterval: interval,
    same: pairs.filter(
      ([a, b]) => a.text === b.text && a.tokens === b.tokens && a.stopReason === b.stopReason,
    ).length,
    drafts: {
      head: draftFigures(drafts, 'head'),
      lookup: draftFigures(drafts, 'lookup'),
    },
    ...passFigures(mode, rows),
  };
}

/** Tokens of each step behind the first one, of the last one those that are part of the text. */
export function laterSteps({ tokens, steps }: Outcome): number[] {
  const behind = sum(steps) - tokens;
  return steps.map((n, i) => (i === steps.length - 1 ? n - behind : n)).slice(1);
}

const decodedOf = (outcomes: readonly Outcome[]): Decoded => ({
  ms: sum(outcomes.map(({ decodeMs }) => decodeMs)),
  tokens: sum(outcomes.map(({ tokens }) => Math.max(0, tokens - 1))),
});

/**
 * How many times as fast one mode decodes as another, on the tasks that were decoded in both, and its
 * 95 % interval. By decode times a token: where the texts are the same, that of decode times.
 */
export function speedAgainst(rows: readonly ResultRow[], own: string, other: string): Speed {
  const common = rows.filter(({ modes }) => modes[own] && modes[other]);
  const of = (cluster: readonly ResultRow[], mode: string) =>
    decodedOf(cluster.flatMap(({ modes }) => modes[mode] ?? []));
  return speedOf(clustered(common).map((cluster) => [of(cluster, own), of(cluster, other)]));
}

function passFigures(mode: string, rows: readonly ResultRow[]): { passed: Difference } | object {
  const tested = rows.filter(
    ({ modes }) => modes['ar']?.passed !== undefined && modes[mode]?.passed !== undefined,
  );
  if (tested.length === 0) return {};
  const score = ({ modes }: ResultRow, of: string) => Number(modes[of]?.passed);
  const clusters = clustered(tested).map((cluster) =>
    cluster.map((row) => [score(row, 'ar'), score(row, mode)] as const),
  );
  return { passed: pairedDifference(clusters) };
}

export function describe(figures: readonly KindFigures[]): string {
  const lines: string[] = [];
  for (const { kind, tasks, clusters, modes } of figures) {
    lines.push(`${kind}, ${tasks} tasks of ${clusters} ${CLUSTER_NAMES[kind]}`);
    for (const each of modes) {
      const { low, high } = each.speedUpInterval;
      const shares = each.lengths.map((count, i) =>
        count > 0 ? `${i + 1}: ${percent(count / each.steps)}` : '',
      );
      lines.push(
        `  ${each.mode.padEnd(12)} ${each.speedUp.toFixed(3)} × (${low.toFixed(3)} to ${high.toFixed(3)})` +
          ` · ${each.tokensPerStep.toFixed(3)} tokens a step · ${each.msPerToken.toFixed(1)} ms a token` +
          ` · same text ${each.same} of ${each.tasks}`,
        `    steps of ${shares.filter(Boolean).join(', ')}`,
      );
      for (const source of ['head', 'lookup'] as const) {
        const { steps, tokens, accepted, places } = each.drafts[source];
        if (steps === 0) continue;
        const held = places.map(({ tried, held: of }) => percent(of / tried));
        lines.push(
          `    ${source}: ${tokens} drafts in ${steps} steps, ${accepted} accepted;` +
            ` first, second, … held: ${held.join(', ')}`,
        );
      }
      if (each.passed) {
        const { own, difference, interval } = each.passed;
        lines.push(
          `    tests passed ${percent(own)}, against plain decoding ${points(difference)}` +
            ` (${points(interval.low)} to ${points(interval.high)})`,
        );
      }
    }
  }
  return lines.join('\n');
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const points = (share: number) => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} points`;
