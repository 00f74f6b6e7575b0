/**
 * Head 1 against the base: plain decoding with int8 weights against the publisher's in fp32, by an
 * implementation that is not ours, on the same lines. Pure.
 */
import { clustered } from '../steps/clusters';
import { pairedDifference, type ScorePair } from '../steps/paired';
import { largest, lineRuns, type Shown } from './goal';
import type { Evidence, LoadedInfilling } from './load';
import { linkTo, listOf, points, range } from './markdown';
import type { Shipped } from './shipped';
import { FEWEST, sameQuality, SAME_QUALITY_MARGIN } from './statistics';

/** Ending of the model's id, where an implementation that is not ours completed, in fp32. */
const referenceOf = ({ header }: LoadedInfilling['results']): string | undefined =>
  /^reference-(.+)\.jsonl$/.exec(header.source)?.[1];

export function headOneGoal({ infilling, runs }: Evidence, model: Shipped): Shown | undefined {
  const reference = infilling.findLast(
    ({ results }) =>
      results.header.order === 'suffix-first' && model.id.endsWith(referenceOf(results) ?? ' '),
  );
  const own = largest(lineRuns(runs, model).filter(({ measure }) => measure === 'passed'));
  if (!reference || !own) return undefined;
  const clusters = clustered(own.rows)
    .map((rows) =>
      rows.flatMap(({ id, modes }): ScorePair[] => {
        const [base, passed] = [reference.results.rows.get(id), modes['ar']?.passed];
        return base && passed !== undefined
          ? [[Number(base.verdict === 'passed'), Number(passed)]]
          : [];
      }),
    )
    .filter((pairs) => pairs.length > 0);
  if (clusters.length === 0) return undefined;
  const found = pairedDifference(clusters);
  const { difference, interval, tasks } = found;
  const few = clusters.length < FEWEST ? `, fewer than the ${FEWEST} that can show it` : '';
  const worse = interval.high < -SAME_QUALITY_MARGIN;
  return {
    verdict: sameQuality(found) ? 'met' : worse ? 'missed' : 'not shown',
    figure: `${points(difference)} points (${range(interval, points)})`,
    remark: `met from ${points(-SAME_QUALITY_MARGIN)} points on; ${tasks} tasks of ${clusters.length} problems${few}; heads never change it, for the trunk is the base`,
    raw: listOf(linkTo(reference.file), linkTo(own.file)),
  };
}
