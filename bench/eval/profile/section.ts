/** Where a step's time goes, as the report tells it. Pure. */
import { linkTo, machineName, percent, tableOf, threadsOf } from '../markdown';
import type { ProfileHeader, ProfileRow } from './results';

export interface LoadedProfile {
  readonly file: string;
  readonly header: ProfileHeader;
  readonly rows: readonly ProfileRow[];
}

/** Operators below this share of every step stand together. */
const LEAST_SHARE = 0.03;

/** @param current whether it is of the weights that are shipped */
export function profileSection(
  { file, header: { threads, environment }, rows }: LoadedProfile,
  current: boolean,
): string {
  const names = [...new Set(rows.flatMap(({ operators }) => operators.map(({ name }) => name)))];
  const shareOf = (row: ProfileRow, name: string) =>
    (row.operators.find((each) => each.name === name)?.ms ?? 0) / row.profiledMs;
  const shown = names.filter((name) => rows.some((row) => shareOf(row, name) >= LEAST_SHARE));
  const cell = (row: ProfileRow, ms: number) =>
    ms === 0 ? '' : `${ms.toFixed(2)} (${percent(ms / row.profiledMs)})`;
  const sumOf = (row: ProfileRow, wanted: (name: string) => boolean) =>
    row.operators.reduce((sum, { name, ms }) => sum + (wanted(name) ? ms : 0), 0);
  const line = (name: string, ms: (row: ProfileRow) => number) => [
    name,
    ...rows.map((row) => cell(row, ms(row))),
  ];
  const read = (row: ProfileRow) =>
    row.operators.reduce((sum, { megabytes }) => sum + megabytes, 0);
  return [
    tableOf(
      ['ms (share)', ...rows.map(headingOf)],
      [
        ...shown.map((name) => line(name, (row) => sumOf(row, (each) => each === name))),
        line('other operators', (row) => sumOf(row, (name) => !shown.includes(name))),
        line('between operators', (row) => Math.max(0, row.runMs - sumOf(row, () => true))),
        line('feeds, keys and values, outputs', (row) => row.profiledMs - row.runMs),
        ['all, without the profiler', ...rows.map(({ ms }) => ms.toFixed(2))],
        ['weights read, MB', ...rows.map((row) => read(row).toFixed(0))],
      ],
    ),
    `Raw: ${linkTo(file)} (${machineName(environment)}, ${threadsOf(threads)}${current ? '' : '; of earlier weights'}).`,
  ].join('\n\n');
}

const headingOf = ({ part, context, rows }: ProfileRow): string =>
  part === 'heads' ? `heads at ${context}` : `${rows} row${rows === 1 ? '' : 's'} at ${context}`;
