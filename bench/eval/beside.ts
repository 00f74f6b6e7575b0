/** Beside llama.cpp: which runs count, what they say of the goals, and the report's tables. Pure. */
import { threadsOf } from '../environment';
import { byText } from '../numbers';
import {
  decodingAgainst,
  WAY_NAMES,
  type CompletionSummary,
  type WayFigures,
} from '../peers/completion-summary';
import { fileOfPeer } from '../peers/loaded';
import type { Summary } from '../peers/summary';
import type { Speed } from '../speed';
import { verdictOf } from './goal';
import type { PeerCompletions, PeerFigures } from './load';
import {
  counted,
  decimals,
  linkTo,
  listOf,
  machineName,
  NOT_MEASURED,
  range,
  tableOf,
  times,
  weightsName,
} from './markdown';
import { isCurrent, type Shipped } from './shipped';

/** How much faster decoding is to be, on the same file and on another quantisation. */
export const PEER_GOALS = { same: 2.5, other: 1.5 } as const;
export type PeerGoal = keyof typeof PEER_GOALS;

export const goalOf = (peer: string): PeerGoal => (peer === 'same' ? 'same' : 'other');

/** One comparison of a file: a model, the peer's file, and a context where there are several. */
export interface Found<T> {
  readonly file: string;
  readonly threads: number;
  readonly begun: string;
  readonly machine: string;
  /** That the headers of older files do not tell. */
  readonly settings: readonly string[];
  /** Whether our engine's weights were others than those that are shipped, or are not known. */
  readonly earlier: boolean;
  readonly summary: T;
}

export interface Runs<T> {
  /**
   * The latest of each comparison: of the weights that are shipped on each machine, of earlier ones alone where
   * there is none of those.
   */
  readonly current: readonly Found<T>[];
  readonly older: readonly Found<T>[];
}

export function roundsOf(
  peers: readonly PeerFigures[],
  shipped: readonly Shipped[],
): Runs<Summary> {
  const all = peers.flatMap(({ file, threads, processor, environment, models, weights }) =>
    models.map((summary) => ({
      ...{ file, threads, begun: environment?.begun ?? '', summary },
      ...{
        machine: environment ? machineName(environment) : processor,
        settings: settingsOf(file),
      },
      earlier: !isCurrent(shipped, summary.model, weights[summary.model]),
    })),
  );
  return split(all, ({ threads, summary: { model, peer } }) => [model, peer, threads]);
}

export function completionsOf(
  completions: readonly PeerCompletions[],
  shipped: readonly Shipped[],
): Runs<CompletionSummary> {
  const all = completions.flatMap(({ file, header: { threads, environment }, groups, weights }) =>
    groups.map((summary) => ({
      ...{ file, threads, begun: environment.begun ?? '', summary },
      ...{ machine: machineName(environment), settings: settingsOf(file) },
      earlier: !isCurrent(shipped, summary.model, weights[summary.model]),
    })),
  );
  return split(all, ({ threads, summary: { model, peer, context } }) => [
    ...[model, peer, threads, context],
  ]);
}

/** What a file's name may tell. */
const SETTINGS: Readonly<Record<string, string>> = {
  avx2: 'AVX2 alone',
  '2mb-pages': '2 MB pages',
};

const settingsOf = (file: string): string[] =>
  Object.entries(SETTINGS).flatMap(([name, told]) => (file.includes(name) ? [told] : []));

export const whereOf = ({ machine, settings }: Found<unknown>): string =>
  [machine, ...settings].join(', ');

/** Of runs without a time the last one by name is the latest. */
function split<T>(
  all: readonly Found<T>[],
  what: (found: Found<T>) => readonly (string | number)[],
): Runs<T> {
  const keyOf = (found: Found<T>) => JSON.stringify(what(found));
  const shipped = new Set(all.filter(({ earlier }) => !earlier).map(keyOf));
  const latest = new Map(
    all
      .filter((found) => !found.earlier || !shipped.has(keyOf(found)))
      .toSorted((a, b) => byText(a.begun, b.begun))
      .map((found) => [found.earlier ? keyOf(found) : `${keyOf(found)} ${found.machine}`, found]),
  );
  const current = new Set(latest.values());
  return { current: [...current], older: all.filter((found) => !current.has(found)) };
}

/** How much a group of completions rests on. */
export function sizeOf({ ways, texts }: CompletionSummary): string {
  const tasks = counted(ways[0]?.tasks ?? 0, 'prompt');
  return `${tasks} of ${counted(texts.length, 'text')}`;
}

/** Sections of the report; none where nothing was measured. */
export function besideSections(
  peers: readonly PeerFigures[],
  completions: readonly PeerCompletions[],
  shipped: readonly Shipped[],
): string[] {
  const [rounds, wholes] = [roundsOf(peers, shipped), completionsOf(completions, shipped)];
  const models = new Set([
    ...[...rounds.current, ...wholes.current].map(({ summary }) => summary.model),
  ]);
  const older = [...rounds.older.map(olderRow), ...wholes.older.map(olderCompletions)];
  return [
    ...[...models].sort().flatMap((model) => {
      const own = <T extends Found<{ readonly model: string }>>(found: T) =>
        found.summary.model === model;
      return [
        `### ${model}`,
        ...wholeTables(wholes.current.filter(own)),
        ...stepTables(rounds.current.filter(own)),
      ];
    }),
    ...(older.length > 0
      ? [
          '### Other runs',
          'Older than those above, or of other settings; kept because documents refer to them. Ratios ours over ' +
            'llama.cpp’s.',
          tableOf(
            ['', 'machine', 'threads', 'weights', 'decoding', 'prefill', 'raw'],
            older,
            'words',
          ),
        ]
      : []),
  ];
}

/** A table for each context and number of threads, llama.cpp's files one below the other. */
function wholeTables(found: readonly Found<CompletionSummary>[]): string[] {
  const tables = new Map<string, Found<CompletionSummary>[]>();
  for (const each of found.toSorted((a, b) => sameFirst(a.summary, b.summary))) {
    const key = JSON.stringify([each.threads, each.summary.context]);
    tables.set(key, [...(tables.get(key) ?? []), each]);
  }
  const sorted = [...tables.values()].sort(
    ([a], [b]) =>
      (b?.threads ?? 0) - (a?.threads ?? 0) ||
      (a?.summary.context ?? 0) - (b?.summary.context ?? 0),
  );
  return sorted.flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const { promptTokens } = first.summary;
    const rows = group.flatMap(({ summary }) => summary.ways.map((way) => wholeRow(way, summary)));
    const heading = [
      ...['', 'decoding, ms a token', 'whole, ms', 'to the first token, ms', 'CPU s', 'tokens'],
      ...['drafts held', 'resident, MB', 'text of our plain'],
    ];
    return [
      `**Whole completions, prompts of ${tokensOf(promptTokens)} tokens, ${threadsOf(first.threads)}, ` +
        `${sizeOf(first.summary)}.** ` +
        `${group.map(wholeVerdict).join(' ')}`,
      tableOf(heading, rows),
      `Raw: ${[...new Set(group.map(rawOf))].join(', ')}.`,
    ];
  });
}

const tokensOf = ({ least, most }: CompletionSummary['promptTokens']): string =>
  least === most ? String(least) : `${least} to ${most}`;

/** A link, and what tells the run apart. */
const rawOf = (found: Found<unknown>): string =>
  `${linkTo(found.file)} (${listOf(whereOf(found), found.earlier ? 'of earlier weights' : '')})`;

function wholeRow(way: WayFigures, { peer }: CompletionSummary): string[] {
  const theirs = way.way.startsWith('llama') ? `${WAY_NAMES[way.way]} (${fileOfPeer(peer)})` : '';
  const { tried, held } = way.drafts;
  return [
    theirs === '' ? `${WAY_NAMES[way.way]}${peer === 'same' ? '' : ` (beside ${peer})`}` : theirs,
    ...[number(way.msPerToken), way.ms.toFixed(0), way.firstMs.toFixed(0)],
    ...[(way.cpuMs / 1000).toFixed(2), way.tokens.toFixed(1)],
    ...[tried === 0 ? '' : `${held} of ${tried}`, (way.resident / 1e6).toFixed(0)],
    `${way.same} of ${way.tasks}`,
  ];
}

function wholeVerdict({ summary, earlier }: Found<CompletionSummary>): string {
  const speed = decodingAgainst(summary, 'exact', 'llama');
  if (!speed) return '';
  return `Exact mode decodes ${verdict(speed, goalOf(summary.peer), earlier)} as fast as llama.cpp on ${fileOfPeer(summary.peer)}.`;
}

function verdict({ ratio, interval }: Speed, which: PeerGoal, earlier: boolean): string {
  const goal = PEER_GOALS[which];
  const told = earlier ? 'with earlier weights' : verdictOf(interval, goal);
  return `**${times(ratio)}** (${range(interval, decimals)}; goal ${goal} ×, ${told})`;
}

const sameFirst = (a: { readonly peer: string }, b: { readonly peer: string }): number =>
  Number(b.peer === 'same') - Number(a.peer === 'same');

/** Single steps and prefills: a row for each figure, a column for each context. */
function stepTables(found: readonly Found<Summary>[]): string[] {
  return [...found]
    .sort((a, b) => b.threads - a.threads || sameFirst(a.summary, b.summary))
    .flatMap((each) => {
      const { threads, summary } = each;
      const { peer, lines } = summary;
      const figure = (what: string) => {
        const line = lines.find((found) => found.what === what);
        if (!line?.theirs) return '';
        const { ours, theirs, ratio } = line;
        return `${number(ours.median)} : ${number(theirs.median)} (${ratio.toFixed(2)})`;
      };
      const contexts = contextsOf(lines);
      const row = (name: string, prefix: string) => [
        name,
        ...contexts.map((context) => figure(`${prefix} ${context}`)),
      ];
      const last = contexts.at(-1) ?? '';
      const at = (what: string) => figure(what) || NOT_MEASURED;
      return [
        `**Single steps, ${threadsOf(threads)}, llama.cpp with ${fileOfPeer(peer)}.** DynaMo : llama.cpp, medians; ` +
          `below 1 ours is faster or smaller. Loading, ms: ${at('loading')}. ` +
          `Resident memory at ${last}, MB: ${at(`resident memory at ${last}`)}.`,
        tableOf(
          ['', ...contexts.map((context) => `context ${context}`)],
          [
            row('plain decoding, ms a token', 'decoding at'),
            row('prefill, ms a token', 'prefill of'),
          ],
        ),
        `Raw: ${rawOf(each)}.`,
      ];
    });
}

const contextsOf = (lines: Summary['lines']): string[] =>
  lines.flatMap(({ what }) => /^decoding at (\d+)$/.exec(what)?.[1] ?? []);

function olderRow(found: Found<Summary>): string[] {
  const { model, peer, lines } = found.summary;
  const ratios = (prefix: string) =>
    contextsOf(lines)
      .flatMap((context) => {
        const line = lines.find(({ what }) => what === `${prefix} ${context}`);
        return line ? [`${context}: ${line.ratio.toFixed(2)}`] : [];
      })
      .join(', ');
  const name = `${model}, single steps, llama.cpp with ${fileOfPeer(peer)}`;
  return [
    name,
    ...toldApart(found),
    ratios('decoding at'),
    ratios('prefill of'),
    linkTo(found.file),
  ];
}

const toldApart = (found: Found<unknown>): string[] => [
  ...[whereOf(found), String(found.threads), weightsName(!found.earlier)],
];

function olderCompletions(found: Found<CompletionSummary>): string[] {
  const { summary } = found;
  const { model, peer, context } = summary;
  const ratio = decodingAgainst(summary, 'exact', 'llama')?.ratio;
  const name = `${model}, whole completions, llama.cpp with ${fileOfPeer(peer)}`;
  const decoding = ratio === undefined ? '' : `${context}: ${(1 / ratio).toFixed(2)} (exact mode)`;
  return [name, ...toldApart(found), decoding, '', linkTo(found.file)];
}

const number = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
