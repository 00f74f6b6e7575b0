/** From rows to the figures of the README. */
import type { KeyRow } from './rows';

export interface Figures {
  readonly keys: number;
  /** Keys after which grey text came to be seen. */
  readonly shown: number;
  readonly p50: number;
  readonly p95: number;
}

const GROUPS: readonly (readonly [name: string, fits: (row: KeyRow) => boolean])[] = [
  ['warm, within a line', ({ kind }) => kind === 'warm'],
  ['  asked of the engine', ({ kind, asked }) => kind === 'warm' && asked !== undefined],
  ['  known already', ({ kind, asked }) => kind === 'warm' && asked === undefined],
  ['warm, a new line', ({ kind }) => kind === 'nextLine'],
  ['  asked of the engine', ({ kind, asked }) => kind === 'nextLine' && asked !== undefined],
  ['jump, at once', ({ kind, pauseMs }) => kind === 'jump' && pauseMs === 0],
  ['jump, a second later', ({ kind, pauseMs }) => kind === 'jump' && pauseMs !== 0],
  ['new file, at once', ({ kind, pauseMs }) => kind === 'newFile' && pauseMs === 0],
  ['new file, a second later', ({ kind, pauseMs }) => kind === 'newFile' && pauseMs !== 0],
];

/** A table: key to first full line, and to all lines. */
export function summary(rows: readonly KeyRow[]): string {
  const lines = [
    '| key | keys | shown | first line p50 | p95 | all lines p50 | p95 |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const [name, fits] of GROUPS) {
    const group = rows.filter(fits);
    const first = figures(group, ({ firstLineMs }) => firstLineMs);
    const all = figures(group, ({ allMs }) => allMs);
    const cells = [name, first.keys, first.shown, first.p50, first.p95, all.p50, all.p95];
    lines.push(`| ${cells.map((cell) => (Number.isNaN(cell) ? '' : String(cell))).join(' | ')} |`);
  }
  return lines.join('\n');
}

export function figures(rows: readonly KeyRow[], of: (row: KeyRow) => number | undefined): Figures {
  const seen = rows.flatMap((row) => of(row) ?? []).sort((a, b) => a - b);
  return { keys: rows.length, shown: seen.length, p50: at(seen, 0.5), p95: at(seen, 0.95) };
}

/** The smallest value that so many of them do not exceed. */
function at(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
