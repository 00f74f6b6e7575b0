/** Numbers and tables of the report. Pure. */
import type { Interval } from '../infilling/statistics';

export const NOT_MEASURED = 'not measured';

export function tableOf(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, heading.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export const times = (value: number): string => `${value.toFixed(2)} ×`;
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const points = (share: number): string =>
  `${share < 0 ? '−' : '+'}${(100 * Math.abs(share)).toFixed(1)}`;
export const range = ({ low, high }: Interval, format: (value: number) => string): string =>
  `${format(low)} to ${format(high)}`;

/** A link from bench/REPORT.md to a file of the checkout. */
export function linkTo(file: string): string {
  const path = file.startsWith('bench/') ? file.slice('bench/'.length) : `../${file}`;
  return `[${file.split('/').at(-1) ?? file}](${path})`;
}
