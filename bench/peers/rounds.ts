/**
 * Loading, prefills and single steps of both sides: they take turns in being loaded and, at every context,
 * round by round, in being measured, so that a machine whose speed drifts treats them alike.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { table, type Align } from '../../src/cli/table';
import { environmentOf, threadsOf } from '../environment';
import { appendRow } from '../results-file';
import { openSides, peerVersion, prepare, type Comparison, type Sides } from './comparison';
import { checkLoaded, fileOfPeer, type Subject } from './loaded';
import {
  isRound,
  openResults,
  readResults,
  rowKey,
  type LoadRow,
  type RoundRow,
  type Row,
} from './results';
import type { Side } from './sides';
import { summaries, type Summary } from './summary';

export interface Plan {
  /** Pairs of processes that are loaded, at least. */
  readonly loads: number;
  /** How often each context is measured, and with how many single steps. */
  readonly contexts: readonly {
    readonly context: number;
    readonly rounds: number;
    readonly steps: number;
  }[];
}

/** A long prefill takes the peer half a minute, and ours makes one for each step. */
const PLAN: Plan = {
  loads: 4,
  contexts: [
    { context: 128, rounds: 7, steps: 12 },
    { context: 1024, rounds: 3, steps: 8 },
    { context: 4096, rounds: 2, steps: 4 },
  ],
};
/** For trying the bench itself out. */
const QUICK: Plan = { loads: 1, contexts: [{ context: 128, rounds: 1, steps: 12 }] };
const CONTEXT_LENGTH = 4352;

/** Whether all that was missing is measured. */
export async function measureRounds(comparison: Comparison): Promise<boolean> {
  const { folder, out, models, threads, quick, until } = comparison;
  const done = await openResults(out, {
    ...{ kind: 'peers-run', version: 1, threads, processor: cpus()[0]?.model ?? 'unknown' },
    ...{ peer: await peerVersion(folder), environment: environmentOf(join(folder, '../..')) },
  });
  const run = { out, done, until, plan: quick ? QUICK : PLAN };
  for (const model of models) {
    const prepared = await prepare(comparison, model);
    const open = (first: LoadRow['first']) =>
      openSides(comparison, prepared, CONTEXT_LENGTH, first);
    if (!(await measureModel(prepared.subject, run, open))) return false;
  }
  return true;
}

export interface ModelRun {
  readonly out: string;
  readonly done: ReadonlyMap<string, Row>;
  readonly plan: Plan;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
}

/**
 * @param open loads both sides in new processes; the last ones are measured in
 * @throws when the file has rows of other files of the same names
 */
export async function measureModel(
  subject: Subject,
  { out, done, plan, until }: ModelRun,
  open: (first: LoadRow['first']) => Promise<Sides>,
): Promise<boolean> {
  const { model, peer } = subject;
  checkLoaded(out, done.values(), subject);
  const missing = plan.contexts
    .flatMap(({ rounds, ...part }) =>
      Array.from({ length: rounds }, (_, round) => ({ ...part, round })),
    )
    .filter(({ context, round }) => !done.has(rowKey({ model, peer, context, round })));
  const loads = [...done.values()].filter(
    (row) => !isRound(row) && row.model === model && row.peer === peer,
  ).length;
  // Processes that rounds are measured in are counted, too.
  const most = Math.max(plan.loads, loads + (missing.length > 0 ? 1 : 0));
  for (let load = loads; load < most; load++) {
    if (performance.now() > until) return false;
    const first = load % 2 === 0 ? 'ours' : 'theirs';
    const sides = await open(first);
    try {
      const { ours, theirs } = sides.loadMs;
      await appendRow(out, {
        ...{ ...subject, load, first },
        ...{ ours: { loadMs: ours }, theirs: { loadMs: theirs } },
      } satisfies LoadRow);
      if (load + 1 < most) continue;
      for (const { context, round, steps } of missing) {
        if (performance.now() > until) return false;
        const measured = await inTurn(sides, round, (side) => measure(side, context, steps));
        await appendRow(out, { ...subject, context, round, ...measured } satisfies RoundRow);
      }
    } finally {
      await sides.close();
    }
  }
  return true;
}

/** Ours is first in every other round. */
async function inTurn<T>(
  { ours, theirs }: Sides,
  round: number,
  ask: (side: Side) => Promise<T>,
): Promise<{ readonly ours: T; readonly theirs: T }> {
  if (round % 2 === 0) return { ours: await ask(ours), theirs: await ask(theirs) };
  const right = await ask(theirs);
  return { ours: await ask(ours), theirs: right };
}

async function measure(side: Side, context: number, steps: number) {
  const measured = await side.measure(context, steps);
  return { ...measured, memory: side.memory() };
}

export async function describeRounds(out: string): Promise<string> {
  const { rows, header } = await readResults(out);
  return summaries([...rows.values()])
    .map((summary) => present(summary, header.threads))
    .join('\n');
}

function present({ model, peer, lines }: Summary, threads: number): string {
  const numbers: Align[] = ['left', 'right', 'right', 'right', 'right', 'right'];
  const rows = lines.map(({ what, unit, ours, theirs, ratio }) => [
    `${what}${unit === '' ? '' : `, ${unit}`}`,
    figure(ours.median),
    figure(ours.least),
    theirs ? figure(theirs.median) : '',
    theirs ? figure(theirs.least) : '',
    `${ratio.toFixed(2)} ×`,
  ]);
  const heading = ['', 'DynaMo', 'least', 'llama.cpp', 'least', 'ratio'];
  return [
    `${model}, llama.cpp with ${fileOfPeer(peer)}, ${threadsOf(threads)}; medians, the least of all, and the ratio of the medians\n`,
    table([heading, ...rows], { align: numbers }),
  ].join('\n');
}

const figure = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
