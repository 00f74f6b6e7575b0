/**
 * The scale that values of J are drawn on: logarithmic from 10⁻⁵ to 1, because a likely pair is often
 * thousands of times likelier than the cell next to it.
 */

/** log10 of the smallest value that differs from 0 on the scale. */
export const LOWEST = -5;

/** Where a value lies on the scale, 0 to 1. */
export function position(value: number): number {
  if (!(value > 0)) return 0;
  return Math.min(1, Math.max(0, 1 - Math.log10(value) / LOWEST));
}

/** Tones of the scale behind the first, which is for nothing. */
export const TONES = 32;

/** The tone of a value, 0 to `TONES`. */
export const tone = (value: number): number => Math.round(position(value) * TONES);

/** A value in few characters. */
export function format(value: number): string {
  if (value === 0) return '0';
  if (value >= 0.9995) return value >= 1 ? '1' : '>.999';
  // From where it is rounded to .100 on.
  if (value >= 0.09995) return value.toFixed(3).replace(/^0/, '');
  if (value >= 0.001) return value.toFixed(4).replace(/^0/, '');
  return value.toExponential(1).replace('e-', 'e−');
}

/** Two significant places, for inside a cell. */
export function formatShort(value: number): string {
  if (value === 0) return '';
  if (value >= 0.995) return '1';
  if (value >= 0.01) return value.toFixed(2).replace(/^0/, '');
  return value >= 0.001 ? value.toFixed(3).replace(/^0/, '') : '';
}

export const percent = (share: number): string =>
  share > 0.9995 && share < 1
    ? '>99.9 %'
    : `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** Cells of J on the scale, in bins of equal width. `zeros` are the cells that are 0 or below it. */
export interface Histogram {
  /** log10 of the bins' lower edges. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  readonly survivors: readonly number[];
  readonly zeros: number;
}

export const BINS = 40;

/** @param places of the cells that survived */
export function histogram(values: Float64Array, places: Iterable<number>): Histogram {
  const edges = Array.from({ length: BINS }, (_, bin) => LOWEST - (bin * LOWEST) / BINS);
  const counts = edges.map(() => 0);
  const survivors = edges.map(() => 0);
  const lowest = 10 ** LOWEST;
  const count = (bins: number[], value: number) => {
    if (value < lowest) return false;
    const bin = Math.min(BINS - 1, Math.floor(position(value) * BINS));
    bins[bin] = (bins[bin] ?? 0) + 1;
    return true;
  };
  let zeros = 0;
  for (const value of values) {
    if (!count(counts, value)) zeros++;
  }
  for (const place of places) count(survivors, values[place] ?? 0);
  return { edges, counts, survivors, zeros };
}
