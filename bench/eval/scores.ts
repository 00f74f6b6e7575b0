/**
 * How good a text is at its place: whether its first line is the one that stands there, and how near
 * the whole is to what stands there. Known from the text and the place alone, so rows need not hold it.
 */
import { completedLine } from '../infilling/rule';
import { editSimilarity } from './statistics';

/** A measure of quality in [0, 1]. */
export const MEASURES = ['passed', 'exact', 'similarity'] as const;
export type Measure = (typeof MEASURES)[number];

/** What the measures are called. */
export const MEASURE_NAMES: Readonly<Record<Measure, string>> = {
  passed: 'tests passed',
  exact: 'first line equal',
  similarity: 'edit similarity',
};

/** Undefined where the measure does not apply: no tests were run, or nothing is known of the place. */
export function scoreOf(
  measure: Measure,
  { text, passed }: { readonly text: string; readonly passed?: boolean | undefined },
  expected: string | undefined,
): number | undefined {
  if (measure === 'passed') return passed === undefined ? undefined : Number(passed);
  if (expected === undefined) return undefined;
  if (measure === 'exact') {
    return Number(completedLine(text).trimEnd() === completedLine(expected).trimEnd());
  }
  return editSimilarity(text, expected);
}
