/** From whole completions to the figures of each way. Pure. */
import { table, type Align } from '../../src/cli/table';
import { threadsOf } from '../environment';
import {
  isDone,
  WAYS,
  type CompletionOutcome,
  type CompletionRow,
  type Way,
} from './completion-results';

/** Of one way, over the tasks of one group. */
export interface WayFigures {
  readonly way: Way;
  readonly tasks: number;
  /** Medians over tasks, ms; CPU time is a mean, for it is counted coarsely. */
  readonly ms: number;
  readonly firstMs: number;
  readonly cpuMs: number;
  /** Of all tasks together: time behind the first token over tokens behind it. */
  readonly msPerToken: number;
  /** Mean. */
  readonly tokens: number;
  /** At most, bytes. */
  readonly resident: number;
  /** Tasks whose text is that of our plain decoding. */
  readonly same: number;
  readonly drafts: { readonly tried: number; readonly held: number };
}

export interface CompletionSummary {
  readonly model: string;
  /** `same`, or the name of another quantisation's file. */
  readonly peer: string;
  readonly context: number;
  readonly promptTokens: number;
  readonly ways: readonly WayFigures[];
}

/**
 * One for each model, file of the peer's and group, contexts ascending. Ways are compared on the tasks that
 * all of them have.
 */
export function completionSummaries(rows: readonly CompletionRow[]): CompletionSummary[] {
  const groups = new Map<string, CompletionRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.peer, row.context]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()]
    .flatMap((group) => {
      const measured = WAYS.filter((way) => group.some((row) => row.ways[way]));
      const common = group.filter((row) => isDone(row, measured));
      const [first] = common;
      if (!first) return [];
      const { model, peer, context } = first;
      const promptTokens = median(common.map((row) => row.promptTokens));
      const ways = measured.flatMap((way) => figuresOf(way, common));
      return [{ model, peer, context, promptTokens, ways }];
    })
    .sort((a, b) => compare(a.model, b.model) || compare(a.peer, b.peer) || a.context - b.context);
}

function figuresOf(way: Way, rows: readonly CompletionRow[]): WayFigures[] {
  const made = rows.flatMap((row) => row.ways[way] ?? []);
  if (made.length === 0) return [];
  const of = (value: (outcome: CompletionOutcome) => number) => made.map(value);
  const behind = sum(of(({ tokens }) => Math.max(0, tokens - 1)));
  const same = rows.filter(({ ways }) => ways.ar && ways.ar.text === ways[way]?.text).length;
  return [
    {
      ...{ way, tasks: made.length, same },
      ms: median(of(({ ms }) => ms)),
      firstMs: median(of(({ firstMs }) => firstMs)),
      cpuMs: mean(of(({ cpuMs }) => cpuMs)),
      msPerToken: sum(of(({ ms, firstMs }) => ms - firstMs)) / behind,
      tokens: mean(of(({ tokens }) => tokens)),
      resident: Math.max(...of(({ memory }) => memory.resident)),
      drafts: {
        tried: sum(of(({ drafts }) => drafts?.tried ?? 0)),
        held: sum(of(({ drafts }) => drafts?.held ?? 0)),
      },
    },
  ];
}

export const WAY_NAMES: Readonly<Record<Way, string>> = {
  ar: 'DynaMo, plain',
  exact: 'DynaMo, exact',
  llama: 'llama.cpp',
  'llama-lookup': 'llama.cpp, its lookup',
  'llama-draft': 'llama.cpp, its draft model',
};

export function describeCompletions(rows: readonly CompletionRow[], threads: number): string {
  const align: Align[] = ['left', ...Array<Align>(7).fill('right')];
  return completionSummaries(rows)
    .map(({ model, peer, context, promptTokens, ways }) => {
      const against = peer === 'same' ? 'the same file' : peer;
      const lines = ways.map((each) => [
        WAY_NAMES[each.way],
        ...[each.ms, each.firstMs, each.msPerToken].map((ms) => ms.toFixed(1)),
        (each.cpuMs / 1000).toFixed(2),
        each.tokens.toFixed(1),
        (each.resident / 1e6).toFixed(0),
        `${each.same} of ${each.tasks}`,
      ]);
      const heading = ['', 'ms', 'to first', 'ms/token', 'CPU s', 'tokens', 'MB', 'same text'];
      return (
        `${model}, about ${context} tokens of context (${promptTokens}), llama.cpp with ${against}, ` +
        `${threadsOf(threads)}\n\n${table([heading, ...lines], { align })}`
      );
    })
    .join('\n');
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 0 ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper;
}
