/** Beside llama.cpp: which runs count, what they say of the goals, and the report's tables. Pure. */
import { threadsOf } from '../environment';
import { WAY_NAMES, type CompletionSummary, type WayFigures } from '../peers/completion-summary';
import type { Summary } from '../peers/summary';
import type { PeerCompletions, PeerFigures } from './load';
import { linkTo, listOf, machineName, tableOf, times, weightsName } from './markdown';
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
  /** With settings that the headers of older files do not tell. */
  readonly machine: string;
  /** Whether our engine's weights were others than those that are shipped, or are not known. */
  readonly earlier: boolean;
  readonly summary: T;
}

export interface Runs<T> {
  /** The latest of each comparison, those of the weights that are shipped first. */
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
      machine: machineOf(file, environment ? machineName(environment) : processor),
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
      machine: machineOf(file, machineName(environment)),
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

function machineOf(file: string, processor: string): string {
  const settings = Object.entries(SETTINGS).filter(([name]) => file.includes(name));
  return [processor, ...settings.map(([, told]) => told)].join(', ');
}

/** Of runs without a time the last one by name is the latest. */
function split<T>(
  all: readonly Found<T>[],
  what: (found: Found<T>) => readonly (string | number)[],
): Runs<T> {
  const ordered = all.toSorted(
    (a, b) => Number(b.earlier) - Number(a.earlier) || compare(a.begun, b.begun),
  );
  const latest = new Map(ordered.map((found) => [JSON.stringify(what(found)), found]));
  const current = new Set(latest.values());
  return { current: [...current], older: all.filter((found) => !current.has(found)) };
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** How many times as fast as the peer a way decodes, behind the first token. */
export function decodingAgainst(
  { ways }: CompletionSummary,
  own: WayFigures['way'],
  theirs: WayFigures['way'],
): number | undefined {
  const ms = (wanted: WayFigures['way']) => ways.find(({ way }) => way === wanted)?.msPerToken;
  const [left, right] = [ms(own), ms(theirs)];
  return left === undefined || right === undefined ? undefined : right / left;
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

const against = (peer: string): string => (peer === 'same' ? 'the same file' : peer);

/** A table for each context and number of threads, llama.cpp's files one below the other. */
function wholeTables(found: readonly Found<CompletionSummary>[]): string[] {
  const tables = new Map<string, Found<CompletionSummary>[]>();
  for (const each of found) {
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
    const { context } = first.summary;
    const rows = group.flatMap(({ summary }) => summary.ways.map((way) => wholeRow(way, summary)));
    const heading = [
      ...['', 'decoding, ms a token', 'whole, ms', 'to the first token, ms', 'CPU s', 'tokens'],
      ...['drafts held', 'resident, MB', 'text of our plain'],
    ];
    return [
      `**Whole completions, about ${context} tokens of context, ${threadsOf(first.threads)}.** ` +
        `${group.map(wholeVerdict).join(' ')}`,
      tableOf(heading, rows),
      `Raw: ${[...new Set(group.map(rawOf))].join(', ')}.`,
    ];
  });
}

/** A link, and what tells the run apart. */
const rawOf = ({ file, machine, earlier }: Found<unknown>): string =>
  `${linkTo(file)} (${listOf(machine, earlier ? 'of earlier weights' : '')})`;

function wholeRow(way: WayFigures, { peer }: CompletionSummary): string[] {
  const theirs = way.way.startsWith('llama') ? `${WAY_NAMES[way.way]} (${against(peer)})` : '';
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
  const ratio = decodingAgainst(summary, 'exact', 'llama');
  if (ratio === undefined) return '';
  return `Exact mode decodes ${verdict(ratio, goalOf(summary.peer), earlier)} as fast as llama.cpp on ${against(summary.peer)}.`;
}

function verdict(ratio: number, goal: PeerGoal, earlier: boolean): string {
  const met = ratio >= PEER_GOALS[goal] ? 'met' : 'missed';
  return `**${times(ratio)}** (goal ${PEER_GOALS[goal]} ×, ${earlier ? 'with earlier weights' : met})`;
}

/** Single steps and prefills: a row for each figure, a column for each context. */
function stepTables(found: readonly Found<Summary>[]): string[] {
  return [...found]
    .sort((a, b) => b.threads - a.threads || Number(b.summary.peer === 'same') - 1)
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
      const at = (what: string) => figure(what) || 'not measured';
      return [
        `**Single steps, ${threadsOf(threads)}, llama.cpp with ${against(peer)}.** DynaMo : llama.cpp, medians; ` +
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
  const name = `${model}, single steps, llama.cpp with ${against(peer)}`;
  return [
    name,
    ...toldApart(found),
    ratios('decoding at'),
    ratios('prefill of'),
    linkTo(found.file),
  ];
}

const toldApart = ({ machine, threads, earlier }: Found<unknown>): string[] => [
  ...[machine, String(threads), weightsName(!earlier)],
];

function olderCompletions(found: Found<CompletionSummary>): string[] {
  const { summary } = found;
  const { model, peer, context } = summary;
  const ratio = decodingAgainst(summary, 'exact', 'llama');
  const name = `${model}, whole completions, llama.cpp with ${against(peer)}`;
  const decoding = ratio === undefined ? '' : `${context}: ${(1 / ratio).toFixed(2)} (exact mode)`;
  return [name, ...toldApart(found), decoding, '', linkTo(found.file)];
}

const number = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
