/** From the rows of a run to what the report says of each mode. Pure. */
import { decodingFor, plainThreshold } from '../steps/modes';
import { keyOf, type Outcome, type ResultRow, type RunHeader } from '../steps/results';
import { modeFigures, type ModeFigures } from '../steps/summary';
import { MEASURES, scoreOf, type Expected, type Measure } from './scores';
import {
  pairedDifference,
  sameQuality,
  stepShares,
  type Difference,
  type ScorePair,
} from './statistics';

/** A results file of bench/steps. */
export interface LoadedRun {
  /** Its path from the root of the checkout. */
  readonly file: string;
  readonly header: RunHeader;
  readonly rows: readonly ResultRow[];
}

export interface ModePoint {
  readonly mode: string;
  /** ε_b of fast mode with nothing switched. */
  readonly epsilon: number | undefined;
  readonly figures: ModeFigures;
  readonly scores: Readonly<Partial<Record<Measure, Difference>>>;
  /** Of steps with 1, 2, … tokens. */
  readonly shares: readonly number[];
  /** Time of a step over that of a plain one: how many tokens a step must have to break even. */
  readonly stepCost: number;
}

/** All tasks of one kind in one file. */
export interface RunFigures {
  readonly file: string;
  readonly header: RunHeader;
  readonly kind: string;
  readonly tasks: number;
  /** What quality is judged by: tests where there are some. */
  readonly measure: Measure | undefined;
  readonly points: readonly ModePoint[];
}

export function figuresOfRun({ file, header, rows }: LoadedRun, expected: Expected): RunFigures[] {
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const own = rows.filter((row) => row.kind === kind);
    const points = header.modes.map((mode) => pointOf(mode, own, expected));
    const measure = MEASURES.find((each) => points.some(({ scores }) => scores[each]));
    return { file, header, kind, tasks: own.length, measure, points };
  });
}

function pointOf(mode: string, all: readonly ResultRow[], expected: Expected): ModePoint {
  // Some modes are run on the first tasks alone; plain decoding is then taken of those, too.
  const rows = all.filter(({ modes }) => modes[mode]);
  const figures = modeFigures(mode, rows);
  const outcomes = rows.flatMap(({ modes }) => modes[mode] ?? []);
  const plain = rows.flatMap(({ modes }) => modes['ar'] ?? []);
  return {
    mode,
    epsilon: plainThreshold(mode),
    figures,
    scores: Object.fromEntries(
      MEASURES.flatMap((measure) => {
        const pairs = rows.flatMap((row) => pairOf(measure, mode, row, expected));
        return pairs.length > 0 ? [[measure, pairedDifference(pairs)]] : [];
      }),
    ),
    shares: stepShares(outcomes.flatMap(({ steps }) => steps)),
    stepCost: msPerStep(outcomes) / msPerStep(plain),
  };
}

function pairOf(measure: Measure, mode: string, row: ResultRow, expected: Expected): ScorePair[] {
  const [plain, own] = [row.modes['ar'], row.modes[mode]];
  if (!plain || !own) return [];
  const place = expected.get(keyOf(row));
  const scores = [scoreOf(measure, plain, place), scoreOf(measure, own, place)] as const;
  return scores[0] === undefined || scores[1] === undefined ? [] : [[scores[0], scores[1]]];
}

/** Steps behind the first one, which the prefill gives. */
function msPerStep(outcomes: readonly Outcome[]): number {
  const steps = outcomes.reduce((sum, each) => sum + Math.max(0, each.steps.length - 1), 0);
  return outcomes.reduce((sum, { decodeMs }) => sum + decodeMs, 0) / steps;
}

/** Fast mode with nothing switched, by ε_b, ascending. */
export function sweepOf({ points }: Pick<RunFigures, 'points'>): ModePoint[] {
  return points
    .filter(({ epsilon }) => epsilon !== undefined)
    .sort((a, b) => (a.epsilon ?? 0) - (b.epsilon ?? 0));
}

/**
 * The fastest point of the sweep that is as good as plain decoding, of two equal ones that with the
 * larger ε_b; undefined when none is shown to be.
 */
export function sameQualityPoint(
  run: Pick<RunFigures, 'points' | 'measure'>,
): ModePoint | undefined {
  return sweepOf(run)
    .filter(({ scores }) => {
      const difference = run.measure && scores[run.measure];
      return difference !== undefined && sameQuality(difference);
    })
    .reduce<ModePoint | undefined>(
      (best, point) => (best && best.figures.speedUp > point.figures.speedUp ? best : point),
      undefined,
    );
}

/** The fastest that the heads can be: every step takes all their tokens, right or wrong. */
export function ceilingOf(run: Pick<RunFigures, 'points'>): ModePoint | undefined {
  return sweepOf(run).find(({ epsilon }) => epsilon === 0);
}

/** Modes of an ablation: fast mode at one ε_b, as it is and with something switched. */
export function ablationOf({ points }: Pick<RunFigures, 'points'>): ModePoint[] {
  const switched = points.filter(({ mode }) => decodingFor(mode).fast !== undefined);
  const fixed = new Set(switched.map(({ mode }) => decodingFor(mode).epsilon));
  const base = points.filter(({ epsilon }) => epsilon !== undefined && fixed.has(epsilon));
  return switched.length === 0 ? [] : [...base, ...switched];
}
