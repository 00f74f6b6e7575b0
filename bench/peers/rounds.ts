/**
 * Prefills and single steps of both sides: they take turns at every context, round by round, so that a
 * machine whose speed drifts treats them alike.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { table, type Align } from '../../src/cli/table';
import { environmentOf } from '../environment';
import { appendRow } from '../results-file';
import { openSides, peerName, prepare, type Comparison } from './comparison';
import { openResults, readResults, rowKey, type Row } from './results';
import type { Side } from './sides';
import { summaries, type Summary } from './summary';

/** Contexts, and how often each is measured: a long prefill takes the peer half a minute. */
const PLAN = [
  { context: 128, rounds: 7 },
  { context: 1024, rounds: 3 },
  { context: 4096, rounds: 2 },
];
/** For trying the bench itself out. */
const QUICK = [{ context: 128, rounds: 1 }];
const REPEATS = 12;
const CONTEXT_LENGTH = 4352;

/** Whether all that was missing is measured. */
export async function measureRounds(comparison: Comparison): Promise<boolean> {
  const { folder, out, models, threads, quick, until } = comparison;
  const done = await openResults(out, {
    ...{ kind: 'peers-run', version: 1, threads, processor: cpus()[0]?.model ?? 'unknown' },
    environment: environmentOf(join(folder, '../..')),
  });
  for (const model of models) {
    const missing = (quick ? QUICK : PLAN)
      .flatMap(({ context, rounds }) =>
        Array.from({ length: rounds }, (_, round) => ({ context, round })),
      )
      .map((part) => ({ model, peer: peerName(comparison), ...part }))
      .filter((part) => !done.has(rowKey(part)));
    if (missing.length === 0) continue;
    const sides = await openSides(comparison, await prepare(comparison, model), CONTEXT_LENGTH);
    try {
      for (const part of missing) {
        if (performance.now() > until) return false;
        const left = { loadMs: sides.loadMs.ours, ...(await measure(sides.ours, part.context)) };
        const right = {
          loadMs: sides.loadMs.theirs,
          ...(await measure(sides.theirs, part.context)),
        };
        await appendRow(out, { ...part, ours: left, theirs: right } satisfies Row);
      }
    } finally {
      await sides.close();
    }
  }
  return true;
}

async function measure(side: Side, context: number) {
  const measured = await side.measure(context, REPEATS);
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
  const against = peer === 'same' ? 'the same file' : peer;
  return [
    `${model}, llama.cpp with ${against}, ${threads} threads; medians, the least of all, and the ratio of the medians\n`,
    table([heading, ...rows], { align: numbers }),
  ].join('\n');
}

const figure = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
