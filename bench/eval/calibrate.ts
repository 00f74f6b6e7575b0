/**
 * The defaults of a model, its ε_b and the rows of a step at most: from places that nothing else
 * reports on. Pure.
 */
import { basename } from 'node:path';
import type { ThresholdCurve } from '../../src/models/threshold-curve';
import { rowsOf } from '../steps/modes';
import { speedAgainst } from '../steps/summary';
import { sameQualityPoint, type RunFigures } from './figures';

export type Calibration = NonNullable<ThresholdCurve['calibrated']>;

/** Kind of the places that calibrate. */
export const CALIBRATES = 'own';

/** Exact mode with so many rows of a step at most. */
interface Budget {
  readonly mode: string;
  readonly rows: number;
  readonly speedUp: number;
}

/**
 * ε_b: the fastest that keeps the quality by edit similarity to what stands there, which says more of a
 * place than a test that passes or fails. Where none is shown to, and to be faster than exact mode, it is 1.
 *
 * Rows: the most with which exact mode is not shown to be slower than with those that it is fastest with. The
 * drafter takes no more than pay on the machine at hand, so a lower limit must be shown to bring something.
 *
 * Both by intervals of speeds, paired by task: what a run cannot tell apart is no reason for a default.
 *
 * @throws when the run is of tasks that the report is about, or lacks modes
 */
export function calibrationOf(run: RunFigures): Calibration {
  const { tasks, kind, file } = run;
  if (kind !== CALIBRATES) {
    throw new Error(`${file} is of ${kind}, which is reported on; calibrate with own places.`);
  }
  const budgets = run.points.flatMap(({ mode, figures }): Budget[] => {
    const rows = rowsOf(mode);
    return rows === undefined ? [] : [{ mode, rows, speedUp: figures.speedUp }];
  });
  const [fastest] = budgets.toSorted((a, b) => b.speedUp - a.speedUp);
  if (!fastest) throw new Error(`${file} has no modes exact,rows=N that tell how many rows pay.`);
  const enough = budgets.filter(
    ({ mode }) => speedAgainst(run.rows, mode, fastest.mode).interval.high >= 1,
  );
  const rows = Math.max(...enough.map((budget) => budget.rows));
  const epsilon = thresholdOf(run, fastest);
  return { epsilon, rows, tasks, kinds: [kind], results: basename(file) };
}

function thresholdOf({ points, rows }: RunFigures, exact: Budget): number {
  const point = sameQualityPoint({ points, measure: 'similarity' });
  if (point?.epsilon === undefined) return 1;
  return speedAgainst(rows, point.mode, exact.mode).interval.low > 1 ? point.epsilon : 1;
}
