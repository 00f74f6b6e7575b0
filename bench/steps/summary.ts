/** Figures of a run, by kind of text and mode. Pure. */
import { draftFigures, histogram, type DraftFigures } from '../../src/cli/step-figures';
import { bootstrap } from '../bootstrap';
import { comparePaired, rateInterval, type Interval } from '../infilling/statistics';
import type { Outcome, ResultRow, Results } from './results';

export interface ModeFigures {
  readonly mode: string;
  /** Decoded in this mode; there may be more in others. */
  readonly tasks: number;
  readonly tokens: number;
  readonly steps: number;
  readonly tokensPerStep: number;
  /** Steps of 1, 2, … tokens. */
  readonly lengths: readonly number[];
  readonly msPerToken: number;
  /** Decode time of plain decoding over this mode's, a token, and its 95 % interval. */
  readonly speedUp: number;
  readonly speedUpInterval: Interval;
  /** Tasks whose text, tokens and end are plain decoding's. */
  readonly same: number;
  readonly drafts: Readonly<Record<'head' | 'lookup', DraftFigures>>;
  readonly passed?: PassFigures;
}

export interface PassFigures {
  readonly rate: number;
  readonly interval: Interval;
  /** Rate less plain decoding's, paired by task, with its 95 % interval. */
  readonly difference: number;
  readonly differenceInterval: Interval;
}

export interface KindFigures {
  readonly kind: string;
  readonly tasks: number;
  readonly modes: readonly ModeFigures[];
}

export function figuresOf({ header, rows }: Results): KindFigures[] {
  const kinds = new Map<string, ResultRow[]>();
  for (const row of rows.values()) {
    const list = kinds.get(row.kind) ?? [];
    list.push(row);
    kinds.set(row.kind, list);
  }
  return [...kinds].map(([kind, own]) => ({
    kind,
    tasks: own.length,
    modes: header.modes.map((mode) => modeFigures(mode, own)),
  }));
}

export function modeFigures(mode: string, rows: readonly ResultRow[]): ModeFigures {
  const pairs = rows.flatMap(({ modes }): [Outcome, Outcome][] => {
    const [plain, own] = [modes.ar, modes[mode]];
    return plain && own ? [[plain, own]] : [];
  });
  const own = pairs.map(([, outcome]) => outcome);
  const lengths = own.flatMap(({ steps }) => steps);
  const tokens = sum(lengths);
  const drafts = own.flatMap((outcome) => outcome.drafts);
  return {
    mode,
    tasks: pairs.length,
    tokens,
    steps: lengths.length,
    tokensPerStep: tokens / lengths.length,
    lengths: histogram(lengths),
    msPerToken: sum(own.map(({ decodeMs }) => decodeMs)) / decodedTokens(own),
    speedUp: speedUp(pairs),
    speedUpInterval: bootstrap(pairs, speedUp),
    same: pairs.filter(
      ([a, b]) => a.text === b.text && a.tokens === b.tokens && a.stopReason === b.stopReason,
    ).length,
    drafts: {
      head: draftFigures(drafts, 'head'),
      lookup: draftFigures(drafts, 'lookup'),
    },
    ...passFigures(pairs),
  };
}

/** Tokens behind the first step, which the prefill gives. */
function decodedTokens(outcomes: readonly Outcome[]): number {
  return sum(outcomes.map(({ steps }) => sum(steps.slice(1))));
}

/** Of decode times a token: where the texts are the same, that of decode times. */
export function speedUp(pairs: readonly (readonly [plain: Outcome, own: Outcome])[]): number {
  const perToken = (outcomes: readonly Outcome[]) =>
    sum(outcomes.map(({ decodeMs }) => decodeMs)) / decodedTokens(outcomes);
  return perToken(pairs.map(([plain]) => plain)) / perToken(pairs.map(([, own]) => own));
}

function passFigures(
  pairs: readonly (readonly [Outcome, Outcome])[],
): { passed: PassFigures } | object {
  const outcomes = pairs.flatMap(([plain, own]): [boolean, boolean][] =>
    plain.passed === undefined || own.passed === undefined ? [] : [[plain.passed, own.passed]],
  );
  if (outcomes.length < 2) return {};
  const passed = outcomes.filter(([, own]) => own).length;
  const { difference, interval } = comparePaired(outcomes);
  return {
    passed: {
      rate: passed / outcomes.length,
      interval: rateInterval(passed, outcomes.length),
      difference,
      differenceInterval: interval,
    },
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

export function describe(figures: readonly KindFigures[]): string {
  const lines: string[] = [];
  for (const { kind, tasks, modes } of figures) {
    lines.push(`${kind}, ${tasks} tasks`);
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
        const { rate, difference, differenceInterval } = each.passed;
        lines.push(
          `    tests passed ${percent(rate)}, against plain decoding ${points(difference)}` +
            ` (${points(differenceInterval.low)} to ${points(differenceInterval.high)})`,
        );
      }
    }
  }
  return lines.join('\n');
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const points = (share: number) => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} points`;
