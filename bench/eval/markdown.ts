/** Numbers and tables of the report. Pure. */
import { processorOf, type Environment } from '../environment';
import type { Interval } from '../infilling/statistics';

export const NOT_MEASURED = 'not measured';

/** Numbers stand on the right of their columns, all but the first; words on the left. */
export function tableOf(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  of: 'numbers' | 'words' = 'numbers',
): string {
  const rule = heading.map((_, i) => (i === 0 || of === 'words' ? '---' : '---:'));
  return [heading, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export const times = (value: number): string => `${value.toFixed(2)} ×`;
export const decimals = (value: number): string => value.toFixed(2);
export const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const points = (share: number): string =>
  `${share < 0 ? '−' : '+'}${(100 * Math.abs(share)).toFixed(1)}`;
export const machineName = (environment: Environment | undefined): string =>
  environment
    ? `${processorOf(environment)}, ${environment.cores} cores`
    : 'a machine not recorded';
/** Of a run: whether it was of those that are shipped. */
export const weightsName = (current: boolean): string => (current ? 'shipped' : 'earlier');
/** Parts of a sentence; empty ones are left out. */
export const listOf = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== '').join('; ');
export const range = ({ low, high }: Interval, format: (value: number) => string): string =>
  `${format(low)} to ${format(high)}`;

export const timesWithRange = (value: number, interval: Interval): string =>
  `${times(value)} (${range(interval, decimals)})`;

/** A link from bench/REPORT.md to a file of the checkout; of a run of training with the run's folder. */
export function linkTo(file: string): string {
  const path = file.startsWith('bench/') ? file.slice('bench/'.length) : `../${file}`;
  const parts = file.startsWith('training/') ? 2 : 1;
  return `[${file.split('/').slice(-parts).join('/')}](${path})`;
}
