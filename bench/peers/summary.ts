/** From what was measured to the lines of the table. Pure. */
import { median } from '../../src/cli/median';
import { isRound, type LoadRow, type RoundRow, type Row } from './results';

/** Over all single steps, prefills or processes. */
export interface Figure {
  readonly median: number;
  readonly least: number;
}

export interface Line {
  readonly what: string;
  readonly unit: string;
  readonly ours: Figure;
  /** Absent where a line compares our engine with itself. */
  readonly theirs?: Figure;
  readonly ratio: number;
}

export interface Summary {
  readonly model: string;
  /** `same`, or the name of another quantisation's file. */
  readonly peer: string;
  readonly lines: readonly Line[];
}

/** One for each model and file of the peer's that any round was measured of. */
export function summaries(rows: readonly Row[]): Summary[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.peer]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const first = group.find(isRound);
    return first ? [{ model: first.model, peer: first.peer, lines: linesOf(group) }] : [];
  });
}

function linesOf(all: readonly Row[]): Line[] {
  const rows = all.filter(isRound);
  const contexts = [...new Set(rows.map(({ context }) => context))].sort((a, b) => a - b);
  const lines: Line[] = [];
  const against = <T>(what: string, unit: string, of: readonly Both<T>[], value: Value<T>) => {
    const [ours, theirs] = [figure(of, 'ours', value), figure(of, 'theirs', value)];
    lines.push({ what, unit, ours, theirs, ratio: ours.median / theirs.median });
  };
  const steps = stepsOf(rows);
  const itself = (what: string, a: Figure, b: Figure) =>
    lines.push({ what, unit: 'ms', ours: a, ratio: a.median / b.median });
  const at = (context: number) => rows.filter((row) => row.context === context);

  for (const context of contexts) {
    against(`decoding at ${context}`, 'ms a token', at(context), steps);
  }
  for (const context of contexts) {
    against(`prefill of ${context}`, 'ms a token', at(context), ({ prefillMs }) => [prefillMs]);
  }
  const loads = loadsOf(all);
  if (loads.length > 0) against('loading', 'ms', loads, ({ loadMs }) => [loadMs]);
  // Memory grows as contexts do, so that of the longest one counts.
  const last = contexts.at(-1) ?? 0;
  const megabytes = (bytes: number) => [bytes / 1e6];
  against(`resident memory at ${last}`, 'MB', at(last), ({ memory }) => megabytes(memory.resident));
  against('most resident memory', 'MB', at(last), ({ memory }) => megabytes(memory.peak));
  for (const context of contexts) {
    const three = figure(at(context), 'ours', ({ threeRowsMs }) => threeRowsMs ?? []);
    itself(`3 rows against 1 at ${context}`, three, figure(at(context), 'ours', steps));
  }
  const [first] = contexts;
  if (first !== undefined && first !== last) {
    const [short, long] = [figure(at(first), 'ours', steps), figure(at(last), 'ours', steps)];
    itself(`a step at ${last} against ${first}`, long, short);
  }
  return lines;
}

interface Both<T> {
  readonly ours: T;
  readonly theirs: T;
}
type Value<T> = (side: T) => number | readonly number[];

/**
 * Single steps, or the median of each round where our engine told no more, as in older files: a median of
 * many steps is never put beside single ones.
 */
function stepsOf(rows: readonly RoundRow[]): Value<RoundRow['ours']> {
  const single = rows.every(({ ours }) => ours.stepMs.length > 1);
  return ({ stepMs }) => (single ? stepMs : [median(stepMs)]);
}

/** Each pair of processes once. Rows of older files repeat what loading took in theirs. */
function loadsOf(rows: readonly Row[]): Both<{ readonly loadMs: number }>[] {
  const older = new Map<string, Both<{ readonly loadMs: number }>>();
  for (const { ours, theirs } of rows.filter(isRound)) {
    if (ours.loadMs === undefined || theirs.loadMs === undefined) continue;
    const pair = { ours: { loadMs: ours.loadMs }, theirs: { loadMs: theirs.loadMs } };
    older.set(JSON.stringify(pair), pair);
  }
  return [...older.values(), ...rows.filter((row): row is LoadRow => !isRound(row))];
}

function figure<T>(rows: readonly Both<T>[], side: keyof Both<T>, value: Value<T>): Figure {
  const values = rows.flatMap((row) => value(row[side]));
  return { median: median(values), least: Math.min(...values) };
}
