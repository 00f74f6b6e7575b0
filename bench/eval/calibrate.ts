/**
 * The default ε_b of a model: the fastest that keeps the quality on places that nothing else reports on.
 * Pure.
 */
import { basename } from 'node:path';
import type { ThresholdCurve } from '../../src/models/threshold-curve';
import { sameQualityPoint, type RunFigures } from './figures';

/**
 * By edit similarity to what stands there, which says more of a place than a test that passes or fails.
 * Where nothing is shown to keep it, ε_b is 1: one token a step.
 *
 * @throws when the run is of tasks that the report is about
 */
export function calibrationOf(run: RunFigures): NonNullable<ThresholdCurve['calibrated']> {
  if (run.kind !== 'own') {
    throw new Error(
      `${run.file} is of ${run.kind}, which is reported on; calibrate with own places.`,
    );
  }
  const point = sameQualityPoint({ points: run.points, measure: 'similarity' });
  const { tasks, kind, file } = run;
  return { epsilon: point?.epsilon ?? 1, tasks, kinds: [kind], results: basename(file) };
}
