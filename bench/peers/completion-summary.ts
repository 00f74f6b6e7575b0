/** From whole completions to the figures of each way. Pure. */
import { median } from '../../src/cli/median';
import { table, type Align } from '../../src/cli/table';
import { clustersOf } from '../bootstrap';
import { threadsOf } from '../environment';
import { byText, mean, sum } from '../numbers';
import { msPerToken, speedOf, type Decoded, type Speed } from '../speed';
import {
  isDone,
  WAYS,
  type CompletionOutcome,
  type CompletionRow,
  type Way,
} from './completion-results';
import { fileOfPeer } from './loaded';

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
  /** The fewest and the most of a prompt. */
  readonly promptTokens: { readonly least: number; readonly most: number };
  readonly ways: readonly WayFigures[];
  /** What each way decoded, text by text of the problems or files that the tasks are of. */
  readonly texts: readonly Readonly<Record<string, Decoded>>[];
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
      const prompts = common.map((row) => row.promptTokens);
      const promptTokens = { least: Math.min(...prompts), most: Math.max(...prompts) };
      const ways = measured.flatMap((way) => figuresOf(way, common));
      const texts = clustersOf(common, textOf).map((rows) =>
        Object.fromEntries(measured.map((way) => [way, decodedOf(way, rows)])),
      );
      return [{ model, peer, context, promptTokens, ways, texts }];
    })
    .sort((a, b) => byText(a.model, b.model) || byText(a.peer, b.peer) || a.context - b.context);
}

function figuresOf(way: Way, rows: readonly CompletionRow[]): WayFigures[] {
  const made = rows.flatMap((row) => row.ways[way] ?? []);
  if (made.length === 0) return [];
  const of = (value: (outcome: CompletionOutcome) => number) => made.map(value);
  const same = rows.filter(({ ways }) => ways.ar && ways.ar.text === ways[way]?.text).length;
  return [
    {
      ...{ way, tasks: made.length, same },
      ms: median(of(({ ms }) => ms)),
      firstMs: median(of(({ firstMs }) => firstMs)),
      cpuMs: mean(of(({ cpuMs }) => cpuMs)),
      msPerToken: msPerToken([decodedOf(way, rows)]),
      tokens: mean(of(({ tokens }) => tokens)),
      resident: Math.max(...of(({ memory }) => memory.resident)),
      drafts: {
        tried: sum(of(({ drafts }) => drafts?.tried ?? 0)),
        held: sum(of(({ drafts }) => drafts?.held ?? 0)),
      },
    },
  ];
}

/** The problem or file that a task is of: in front of its line or place. */
const textOf = ({ task }: CompletionRow): string => task.replace(/[:/][^:/]*$/, '');

function decodedOf(way: Way, rows: readonly CompletionRow[]): Decoded {
  const made = rows.flatMap((row) => row.ways[way] ?? []);
  return {
    ms: sum(made.map(({ ms, firstMs }) => ms - firstMs)),
    tokens: sum(made.map(({ tokens }) => Math.max(0, tokens - 1))),
  };
}

/** How many times as fast one way decodes as another; undefined where one of them was not measured. */
export function decodingAgainst(
  { texts }: CompletionSummary,
  own: Way,
  other: Way,
): Speed | undefined {
  const pairs = texts.flatMap((ways): [Decoded, Decoded][] =>
    ways[own] && ways[other] ? [[ways[own], ways[other]]] : [],
  );
  return pairs.length === 0 ? undefined : speedOf(pairs);
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
      const lines = ways.map((each) => [
        WAY_NAMES[each.way],
        ...[each.ms, each.firstMs, each.msPerToken].map((ms) => ms.toFixed(1)),
        (each.cpuMs / 1000).toFixed(2),
        each.tokens.toFixed(1),
        (each.resident / 1e6).toFixed(0),
        `${each.same} of ${each.tasks}`,
      ]);
      const range = `${promptTokens.least} to ${promptTokens.most}`;
      const heading = ['', 'ms', 'to first', 'ms/token', 'CPU s', 'tokens', 'MB', 'same text'];
      return (
        `${model}, about ${context} tokens of context (${range}), llama.cpp with ${fileOfPeer(peer)}, ` +
        `${threadsOf(threads)}\n\n${table([heading, ...lines], { align })}`
      );
    })
    .join('\n');
}
