/** Where a step's time goes, as the report tells it. Pure. */
import { threadsOf } from '../../environment';
import { linkTo, machineName, tableOf } from '../markdown';
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
  const shown = names.filter((name) =>
    rows.some((row) => sumOf(row, 'ms', (each) => each === name) >= LEAST_SHARE * row.profiledMs),
  );
  const operators = (label: string, wanted: (name: string) => boolean) => [
    label,
    ...rows.map((row) => {
      const [ms, calls] = [sumOf(row, 'ms', wanted), sumOf(row, 'calls', wanted)];
      return calls === 0 ? '' : `${ms.toFixed(2)} (${calls.toFixed(0)})`;
    }),
  ];
  const line = (label: string, ms: (row: ProfileRow) => number) => [
    label,
    ...rows.map((row) => ms(row).toFixed(2)),
  ];
  return [
    tableOf(
      ['ms (calls)', ...rows.map(headingOf)],
      [
        ...shown.map((name) => operators(name, (each) => each === name)),
        operators('other operators', (name) => !shown.includes(name)),
        line('between operators', (row) => Math.max(0, row.runMs - sumOf(row, 'ms', () => true))),
        line('feeds, keys and values, outputs', (row) => row.profiledMs - row.runMs),
        line('all, with the profiler', ({ profiledMs }) => profiledMs),
        line('all, without it', ({ ms }) => ms),
      ],
    ),
    `Raw: ${linkTo(file)} (${machineName(environment)}, ${threadsOf(threads)}${current ? '' : '; of earlier weights'}).`,
  ].join('\n\n');
}

const sumOf = (row: ProfileRow, what: 'ms' | 'calls', wanted: (name: string) => boolean): number =>
  row.operators.reduce((sum, each) => sum + (wanted(each.name) ? each[what] : 0), 0);

const headingOf = ({ part, context, rows }: ProfileRow): string =>
  part === 'heads' ? `heads at ${context}` : `${rows} row${rows === 1 ? '' : 's'} at ${context}`;
