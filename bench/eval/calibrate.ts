/**
 * The defaults of a model, its ε_b and the rows of a step at most: from places that nothing else
 * reports on. Pure.
 */
import { basename } from 'node:path';
import type { ThresholdCurve } from '../../src/models/threshold-curve';
import { rowsOf } from '../steps/modes';
import { sameQualityPoint, type ModePoint, type RunFigures } from './figures';

export type Calibration = NonNullable<ThresholdCurve['calibrated']>;

/** Kind of the places that calibrate. */
export const CALIBRATES = 'own';

/** Share of the fastest speed within which fewer rows are as good: what a run cannot tell apart. */
const AS_FAST = 0.99;

/**
 * ε_b: the fastest that keeps the quality by edit similarity to what stands there, which says more of a
 * place than a test that passes or fails. Where none that is faster than exact mode is shown to, it is 1.
 *
 * Rows: the fewest with which exact mode is as fast as it gets.
 *
 * @throws when the run is of tasks that the report is about, or lacks modes
 */
export function calibrationOf(run: RunFigures): Calibration {
  const { tasks, kind, file } = run;
  if (kind !== CALIBRATES) {
    throw new Error(`${file} is of ${kind}, which is reported on; calibrate with own places.`);
  }
  const budgets = run.points.flatMap((point) => {
    const rows = rowsOf(point.mode);
    return rows === undefined ? [] : [{ rows, speed: point.figures.speedUp }];
  });
  const fastest = Math.max(...budgets.map(({ speed }) => speed));
  const enough = budgets.filter(({ speed }) => speed >= AS_FAST * fastest);
  if (enough.length === 0) {
    throw new Error(`${file} has no modes exact,rows=N that tell how many rows pay.`);
  }
  const rows = Math.min(...enough.map((budget) => budget.rows));
  const epsilon = thresholdOf(run, fastest);
  return { epsilon, rows, tasks, kinds: [kind], results: basename(file) };
}

function thresholdOf({ points }: RunFigures, exact: number): number {
  const point: ModePoint | undefined = sameQualityPoint({ points, measure: 'similarity' });
  return point?.epsilon !== undefined && point.figures.speedUp > exact ? point.epsilon : 1;
}
