/** From what was measured to the lines of the table. Pure. */
import type { Row } from './results';

/** Over all rounds. */
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

/** One for each model and file of the peer's. */
export function summaries(rows: readonly Row[]): Summary[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.peer]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first ? [{ model: first.model, peer: first.peer, lines: linesOf(group) }] : [];
  });
}

function linesOf(rows: readonly Row[]): Line[] {
  const contexts = [...new Set(rows.map(({ context }) => context))].sort((a, b) => a - b);
  const lines: Line[] = [];
  const against = (what: string, unit: string, of: readonly Row[], value: Value) => {
    const [ours, theirs] = [figure(of, 'ours', value), figure(of, 'theirs', value)];
    lines.push({ what, unit, ours, theirs, ratio: ours.median / theirs.median });
  };
  const itself = (what: string, a: Figure, b: Figure) =>
    lines.push({ what, unit: 'ms', ours: a, ratio: a.median / b.median });
  const at = (context: number) => rows.filter((row) => row.context === context);

  for (const context of contexts) {
    against(`decoding at ${context}`, 'ms a token', at(context), steps);
  }
  for (const context of contexts) {
    against(`prefill of ${context}`, 'ms a token', at(context), ({ prefillMs }) => [prefillMs]);
  }
  against('loading', 'ms', rows, ({ loadMs }) => [loadMs]);
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

type SideFigures = Row['ours'];
type Value = (side: SideFigures) => number | readonly number[];

const steps: Value = ({ stepMs }) => stepMs;

function figure(rows: readonly Row[], side: 'ours' | 'theirs', value: Value): Figure {
  const sorted = rows.flatMap((row) => value(row[side])).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  const even = sorted.length % 2 === 0;
  return {
    median: even ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper,
    least: sorted[0] ?? NaN,
  };
}
