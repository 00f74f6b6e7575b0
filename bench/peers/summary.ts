/** From what was measured to the lines of the table. Pure. */
import type { Measured, Memory } from './sides';

export interface Outcome {
  readonly name: string;
  readonly loadMs: number;
  readonly contexts: (Measured & { readonly context: number })[];
  readonly memory: Memory | undefined;
}

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
  readonly threads: number;
  readonly lines: readonly Line[];
  readonly outcomes: readonly Outcome[];
}

export function summary(model: string, threads: number, outcomes: readonly Outcome[]): Summary {
  const [ours, theirs] = outcomes;
  if (!ours || !theirs) throw new Error('Two sides are compared.');
  const contexts = [...new Set(ours.contexts.map(({ context }) => context))];
  const lines: Line[] = [];
  const against = (what: string, unit: string, of: (outcome: Outcome) => readonly number[]) => {
    const [first, second] = [figure(of(ours)), figure(of(theirs))];
    lines.push({ what, unit, ours: first, theirs: second, ratio: first.median / second.median });
  };
  const itself = (what: string, unit: string, a: Figure, b: Figure) =>
    lines.push({ what, unit, ours: a, ratio: a.median / b.median });

  for (const context of contexts) {
    against(`decoding at ${context}`, 'ms a token', (side) => steps(side, context));
  }
  for (const context of contexts) {
    const prefills = (side: Outcome) => at(side, context).map(({ prefillMs }) => prefillMs);
    against(`prefill of ${context}`, 'ms a token', prefills);
  }
  against('loading', 'ms', (side) => [side.loadMs]);
  against('resident memory', 'MB', (side) => [(side.memory?.resident ?? NaN) / 1e6]);
  against('most resident memory', 'MB', (side) => [(side.memory?.peak ?? NaN) / 1e6]);
  for (const context of contexts) {
    const three = at(ours, context).map(({ threeRowsMs }) => threeRowsMs ?? NaN);
    itself(`3 rows against 1 at ${context}`, 'ms', figure(three), figure(steps(ours, context)));
  }
  const [first, last] = [contexts[0], contexts.at(-1)];
  if (first !== undefined && last !== undefined && first !== last) {
    const [short, long] = [figure(steps(ours, first)), figure(steps(ours, last))];
    itself(`a step at ${last} against ${first}`, 'ms', long, short);
  }
  return { model, threads, lines, outcomes };
}

function at(side: Outcome, context: number) {
  return side.contexts.filter((measured) => measured.context === context);
}

function steps(side: Outcome, context: number): number[] {
  return at(side, context).flatMap(({ stepMs }) => stepMs);
}

function figure(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  const even = sorted.length % 2 === 0;
  return {
    median: even ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper,
    least: sorted[0] ?? NaN,
  };
}
