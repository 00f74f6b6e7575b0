/** What is said of a goal, and which runs say it. Pure. */
import type { Interval } from '../infilling/statistics';
import { isAblation, sweepOf, type RunFigures } from './figures';
import { SHIPPED_PRECISION, type Shipped } from './shipped';

/** `not shown`: the interval has the goal within it. */
export type Verdict = 'met' | 'not shown' | 'missed';

export interface Goal {
  readonly goal: string;
  readonly figure: string;
  /** Undefined where it was not measured. */
  readonly verdict: Verdict | undefined;
  /** What is missing, or what stands behind the figure. */
  readonly remark: string;
  readonly raw: string;
}

/** Of a figure that is to be at least so large. */
export function verdictOf({ low, high }: Interval, goal: number): Verdict {
  if (low >= goal) return 'met';
  return high < goal ? 'missed' : 'not shown';
}

/** What was measured of a goal. */
export type Shown = Omit<Goal, 'goal'>;

/** Runs of a model as it is shipped, with its default heads and nothing switched, on lines. */
export const lineRuns = (runs: readonly RunFigures[], model: Shipped): RunFigures[] =>
  runs.filter((run) => isDefault(run, model) && run.kind === 'line');

/** The one with the most tasks; of several the last one. */
export const largest = (runs: readonly RunFigures[]): RunFigures | undefined =>
  runs.reduce<RunFigures | undefined>(
    (best, run) => (best && best.tasks > run.tasks ? best : run),
    undefined,
  );

/** The largest of those whose thresholds reach from 0 to 1, else of those with a few of them. */
export const largestSweep = (runs: readonly RunFigures[]): RunFigures | undefined =>
  largest(runs.filter(isWhole)) ?? largest(runs.filter((run) => sweepOf(run).length > 0));

export function isDefault(run: RunFigures, { id, heads }: Shipped): boolean {
  const { header } = run;
  const same = header.model === id && header.heads === heads;
  return same && header.precision === SHIPPED_PRECISION && !isAblation(run);
}

function isWhole(run: RunFigures): boolean {
  const sweep = sweepOf(run);
  return sweep.at(0)?.epsilon === 0 && sweep.at(-1)?.epsilon === 1;
}
