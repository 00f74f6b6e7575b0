/** Figures and their words: one results file alone, or two of them compared. Pure. */
import type { ResultRow, Results } from './results';
import { comparePaired, rateInterval, type Interval, type PairedComparison } from './statistics';

export interface Summary {
  readonly tasks: number;
  readonly passed: number;
  readonly passRate: number;
  readonly interval: Interval;
  readonly exactRate: number;
  readonly timeouts: number;
  /** Tasks without a completion; they count as not passed. */
  readonly errors: number;
}

export function summarize(rows: Iterable<ResultRow>): Summary {
  let [tasks, passed, exact, timeouts, errors] = [0, 0, 0, 0, 0];
  for (const { verdict, exact: same } of rows) {
    tasks += 1;
    if (verdict === 'passed') passed += 1;
    if (verdict === 'timeout') timeouts += 1;
    if (verdict === 'error') errors += 1;
    if (same) exact += 1;
  }
  const of = (count: number): number => (tasks === 0 ? 0 : count / tasks);
  return {
    tasks,
    passed,
    passRate: of(passed),
    interval: rateInterval(passed, tasks),
    exactRate: of(exact),
    timeouts,
    errors,
  };
}

export interface Comparison {
  readonly first: Summary;
  readonly second: Summary;
  readonly passed: PairedComparison;
  readonly exact: PairedComparison;
  /** Common tasks whose tested lines are the same, character for character. */
  readonly sameLine: number;
  /** Tasks of only one of the files; left out of everything else here. */
  readonly unpaired: number;
}

/**
 * Compares on the tasks that both files have.
 *
 * @throws when the files are of different task sets or share fewer than two tasks
 */
export function compareResults(first: Results, second: Results): Comparison {
  if (first.header.tasks !== second.header.tasks) {
    throw new Error(
      `The files are of different tasks: ${first.header.tasks} and ${second.header.tasks}.`,
    );
  }
  const pairs: (readonly [ResultRow, ResultRow])[] = [];
  for (const [id, a] of first.rows) {
    const b = second.rows.get(id);
    if (b !== undefined) pairs.push([a, b]);
  }
  return {
    first: summarize(pairs.map(([a]) => a)),
    second: summarize(pairs.map(([, b]) => b)),
    passed: comparePaired(
      pairs.map(([a, b]) => [a.verdict === 'passed', b.verdict === 'passed'] as const),
    ),
    exact: comparePaired(pairs.map(([a, b]) => [a.exact, b.exact] as const)),
    sameLine: pairs.filter(([a, b]) => a.line !== undefined && a.line === b.line).length,
    unpaired: first.rows.size + second.rows.size - 2 * pairs.length,
  };
}

export function describeSummary(summary: Summary): string {
  const { tasks, passed, passRate, interval, exactRate, timeouts, errors } = summary;
  const range = `${percent(interval.low)} to ${percent(interval.high)}`;
  return (
    `${passed} of ${tasks} passed: ${percent(passRate)} % (95 %: ${range}), ` +
    `exact match ${percent(exactRate)} %, ${timeouts} timeouts, ${errors} errors`
  );
}

export function describeComparison(comparison: Comparison): string {
  const { first, second, passed, exact, sameLine, unpaired } = comparison;
  const paired = (name: string, result: PairedComparison): string =>
    `${name}, second minus first: ${signed(result.difference)} points ` +
    `(95 %: ${signed(result.interval.low)} to ${signed(result.interval.high)}); ` +
    `both ${result.both}, only first ${result.onlyFirst}, only second ${result.onlySecond}, ` +
    `neither ${result.neither}; McNemar p = ${result.pValue.toFixed(3)}`;
  return [
    `first:  ${describeSummary(first)}`,
    `second: ${describeSummary(second)}`,
    paired('passed', passed),
    paired('exact match', exact),
    `same line in ${sameLine} of ${passed.tasks} tasks; ${unpaired} tasks in one file only`,
  ].join('\n');
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
}
