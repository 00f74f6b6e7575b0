/**
 * Head 1 against the base: int8 weights against the publisher's in fp32, by an implementation that is not
 * ours, on the same lines. Pure.
 */
import { clustersOf } from '../bootstrap';
import { clusterOf } from '../steps/clusters';
import { pairedDifference } from '../steps/paired';
import type { Shown } from './goal';
import type { Evidence, LoadedInfilling } from './load';
import { linkTo, listOf, points, range } from './markdown';
import { SHIPPED_PRECISION, type Shipped } from './shipped';
import { SAME_QUALITY_MARGIN } from './statistics';

/** Ending of the model's id, where an implementation that is not ours completed, in fp32. */
export const referenceOf = ({ header }: LoadedInfilling['results']): string | undefined =>
  /^reference-(.+)\.jsonl$/.exec(header.source)?.[1];

/** Whether our engine completed with a model; older files say it by their names, as 0.5b-int8-suffix-first. */
function isOwn({ file, model, results }: LoadedInfilling, id: string): boolean {
  if (referenceOf(results) !== undefined) return false;
  if (model) return model.id === id && model.precision === SHIPPED_PRECISION;
  const named = new RegExp(`([^/]+)-${SHIPPED_PRECISION}-`).exec(file)?.[1];
  return named !== undefined && id.endsWith(named);
}

export function headOneGoal({ infilling }: Evidence, { id }: Shipped): Shown | undefined {
  const runs = infilling.filter(({ results }) => results.header.order === 'suffix-first');
  const reference = runs.findLast(({ results }) => id.endsWith(referenceOf(results) ?? ' '));
  const own = runs.findLast((run) => isOwn(run, id));
  if (!reference || !own) return undefined;
  const common = [...reference.results.rows].flatMap(([task, { verdict }]) => {
    const other = own.results.rows.get(task);
    const pair = [Number(verdict === 'passed'), Number(other?.verdict === 'passed')] as const;
    return other ? [{ task, pair }] : [];
  });
  const clusters = clustersOf(common, ({ task }) => clusterOf({ kind: 'line', id: task }));
  const { difference, interval, tasks } = pairedDifference(
    clusters.map((cluster) => cluster.map(({ pair }) => pair)),
  );
  return {
    met: interval.low >= -SAME_QUALITY_MARGIN,
    figure: `${points(difference)} points (${range(interval, points)})`,
    remark: `met from ${points(-SAME_QUALITY_MARGIN)} points on; ${tasks} tasks of ${clusters.length} problems; heads never change it, for the trunk is the base`,
    raw: listOf(linkTo(reference.file), linkTo(own.file)),
  };
}
