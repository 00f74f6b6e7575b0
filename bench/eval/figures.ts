/** From the rows of a run to what the report says of each mode. Pure. */
import { clustered } from '../steps/clusters';
import { decodingFor, plainThreshold } from '../steps/modes';
import { pairedDifference, type Difference, type ScorePair } from '../steps/paired';
import { standingAt, type Expected } from '../steps/places';
import type { ResultRow, RunHeader } from '../steps/results';
import { modeFigures, type ModeFigures } from '../steps/summary';
import { MEASURES, scoreOf, type Measure } from './scores';
import { sameQuality } from './statistics';

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
  /** Of steps behind the first one, which the prefill gives: those with 1, 2, … tokens. */
  readonly shares: readonly number[];
  /** Time of such a step over that of a plain one: how many tokens it must have to break even. */
  readonly stepCost: number;
  /** Whether its texts are plain decoding's because of what it is, and are so indeed. */
  readonly plainByDefinition: boolean;
}

/** All tasks of one kind in one file. */
export interface RunFigures extends LoadedRun {
  readonly kind: ResultRow['kind'];
  readonly tasks: number;
  /** Problems or files that these are of. */
  readonly clusters: number;
  /** What quality is judged by: tests where there are some, else the text. */
  readonly measure: Measure | undefined;
  readonly points: readonly ModePoint[];
}

/** Kinds with several lines to fill in, of which the first one says little. */
const SEVERAL_LINES: readonly ResultRow['kind'][] = ['span', 'held-out', 'own'];

export function figuresOfRun({ file, header, rows }: LoadedRun, expected: Expected): RunFigures[] {
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const own = rows.filter((row) => row.kind === kind);
    const points = header.modes.map((mode) => pointOf(mode, own, expected));
    const byText = SEVERAL_LINES.includes(kind) ? 'similarity' : 'exact';
    const measure = (['passed', byText] as const).find((each) =>
      points.some(({ scores }) => scores[each]),
    );
    const clusters = clustered(own).length;
    return { file, header, kind, rows: own, tasks: own.length, clusters, measure, points };
  });
}

function pointOf(mode: string, all: readonly ResultRow[], expected: Expected): ModePoint {
  // Some modes are run on the first tasks alone; plain decoding is then taken of those, too.
  const rows = all.filter(({ modes }) => modes['ar'] && modes[mode]);
  const figures = modeFigures(mode, rows);
  const scores = MEASURES.flatMap((measure) => {
    const score = measure === 'passed' ? figures.passed : scored(measure, mode, rows, expected);
    return score ? [[measure, score]] : [];
  });
  return {
    mode,
    epsilon: plainThreshold(mode),
    figures,
    scores: Object.fromEntries(scores),
    shares: figures.lengths.map((count) => count / figures.steps),
    stepCost: msPerStep(mode, rows) / msPerStep('ar', rows),
    plainByDefinition: isPlain(mode) && figures.same === figures.tasks,
  };
}

/** Exact mode has plain decoding's text, and so has fast mode with one token a step. */
function isPlain(mode: string): boolean {
  return decodingFor(mode).mode !== 'fast' || plainThreshold(mode) === 1;
}

/** Undefined where the measure applies to no task. */
function scored(
  measure: Measure,
  mode: string,
  rows: readonly ResultRow[],
  expected: Expected,
): Difference | undefined {
  const clusters = clustered(rows)
    .map((cluster) => cluster.flatMap((row) => pairOf(measure, mode, row, expected)))
    .filter((pairs) => pairs.length > 0);
  return clusters.length > 0 ? pairedDifference(clusters) : undefined;
}

function pairOf(measure: Measure, mode: string, row: ResultRow, expected: Expected): ScorePair[] {
  const [plain, own] = [row.modes['ar'], row.modes[mode]];
  if (!plain || !own) return [];
  const place = standingAt(row, expected);
  const scores = [scoreOf(measure, plain, place), scoreOf(measure, own, place)] as const;
  return scores[0] === undefined || scores[1] === undefined ? [] : [[scores[0], scores[1]]];
}

/** Of steps behind the first one. */
function msPerStep(mode: string, rows: readonly ResultRow[]): number {
  const outcomes = rows.flatMap(({ modes }) => modes[mode] ?? []);
  const steps = outcomes.reduce((sum, each) => sum + Math.max(0, each.steps.length - 1), 0);
  return outcomes.reduce((sum, { decodeMs }) => sum + decodeMs, 0) / steps;
}

/** Fast mode with nothing switched, by ε_b, ascending. */
export function sweepOf({ points }: Pick<RunFigures, 'points'>): ModePoint[] {
  return points
    .filter(({ epsilon }) => epsilon !== undefined)
    .sort((a, b) => (a.epsilon ?? 0) - (b.epsilon ?? 0));
}

/** Of a mode that decodes plainly by definition it is 1, whatever was measured. */
export const sameQualitySpeedUp = ({ plainByDefinition, figures }: ModePoint): number =>
  plainByDefinition ? 1 : figures.speedUp;

/** Whether a mode is shown to be as good as plain decoding. With one token a step it is so by definition. */
export function keepsQuality(
  { measure }: Pick<RunFigures, 'measure'>,
  { scores, plainByDefinition }: ModePoint,
): boolean {
  const difference = measure && scores[measure];
  return plainByDefinition || (difference !== undefined && sameQuality(difference));
}

/**
 * The fastest point of the sweep that is as good as plain decoding, of two equal ones that with the
 * larger ε_b; undefined when none is shown to be.
 */
export function sameQualityPoint(
  run: Pick<RunFigures, 'points' | 'measure'>,
): ModePoint | undefined {
  return sweepOf(run)
    .filter((point) => keepsQuality(run, point))
    .reduce<ModePoint | undefined>(
      (best, point) =>
        best && sameQualitySpeedUp(best) > sameQualitySpeedUp(point) ? best : point,
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

export const isAblation = (run: Pick<RunFigures, 'points'>): boolean => ablationOf(run).length > 0;
