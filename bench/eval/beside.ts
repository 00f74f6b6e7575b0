/** Beside llama.cpp: which runs count, what they say of the goals, and the report's tables. Pure. */
import { WAY_NAMES, type CompletionSummary, type WayFigures } from '../peers/completion-summary';
import type { Summary } from '../peers/summary';
import type { PeerCompletions, PeerFigures } from './load';
import { linkTo, tableOf, threadsOf, times } from './markdown';

/** How much faster decoding is to be, on the same file and on another quantisation. */
export const PEER_GOALS = { same: 2.5, other: 1.5 } as const;
export type PeerGoal = keyof typeof PEER_GOALS;

export const goalOf = (peer: string): PeerGoal => (peer === 'same' ? 'same' : 'other');

/** One comparison of a file: a model, the peer's file, and a context where there are several. */
export interface Found<T> {
  readonly file: string;
  readonly threads: number;
  readonly begun: string;
  readonly summary: T;
}

export interface Runs<T> {
  /** The latest of each comparison. */
  readonly current: readonly Found<T>[];
  readonly older: readonly Found<T>[];
}

export function roundsOf(peers: readonly PeerFigures[]): Runs<Summary> {
  const all = peers.flatMap(({ file, threads, environment, models }) =>
    models.map((summary) => ({ file, threads, begun: environment?.begun ?? '', summary })),
  );
  return split(all, ({ threads, summary: { model, peer } }) => [model, peer, threads]);
}

export function completionsOf(completions: readonly PeerCompletions[]): Runs<CompletionSummary> {
  const all = completions.flatMap(({ file, header: { threads, environment }, groups }) =>
    groups.map((summary) => ({ file, threads, begun: environment.begun ?? '', summary })),
  );
  return split(all, ({ threads, summary: { model, peer, context } }) => [
    ...[model, peer, threads, context],
  ]);
}

/** Of runs without a time the last one by name is the latest. */
function split<T>(
  all: readonly Found<T>[],
  what: (found: Found<T>) => readonly (string | number)[],
): Runs<T> {
  const latest = new Map<string, Found<T>>();
  for (const found of all) {
    const key = JSON.stringify(what(found));
    const there = latest.get(key);
    if (!there || found.begun >= there.begun) latest.set(key, found);
  }
  const current = new Set(latest.values());
  return { current: [...current], older: all.filter((found) => !current.has(found)) };
}

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
): string[] {
  const [rounds, wholes] = [roundsOf(peers), completionsOf(completions)];
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
          tableOf(['', 'threads', 'decoding', 'prefill', 'raw'], older, 'words'),
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
      `Raw: ${[...new Set(group.map(({ file }) => linkTo(file)))].join(', ')}.`,
    ];
  });
}

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

function wholeVerdict({ summary }: Found<CompletionSummary>): string {
  const ratio = decodingAgainst(summary, 'exact', 'llama');
  if (ratio === undefined) return '';
  return `Exact mode decodes ${verdict(ratio, goalOf(summary.peer))} as fast as llama.cpp on ${against(summary.peer)}.`;
}

const verdict = (ratio: number, goal: PeerGoal): string =>
  `**${times(ratio)}** (goal ${PEER_GOALS[goal]} ×, ${ratio >= PEER_GOALS[goal] ? 'met' : 'missed'})`;

/** Single steps and prefills: a row for each figure, a column for each context. */
function stepTables(found: readonly Found<Summary>[]): string[] {
  return [...found]
    .sort((a, b) => b.threads - a.threads || Number(b.summary.peer === 'same') - 1)
    .flatMap(({ file, threads, summary: { peer, lines } }) => {
      const figure = (what: string) => {
        const line = lines.find((each) => each.what === what);
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
        `Raw: ${linkTo(file)}.`,
      ];
    });
}

const contextsOf = (lines: Summary['lines']): string[] =>
  lines.flatMap(({ what }) => /^decoding at (\d+)$/.exec(what)?.[1] ?? []);

function olderRow({ file, threads, summary: { model, peer, lines } }: Found<Summary>): string[] {
  const ratios = (prefix: string) =>
    contextsOf(lines)
      .flatMap((context) => {
        const line = lines.find(({ what }) => what === `${prefix} ${context}`);
        return line ? [`${context}: ${line.ratio.toFixed(2)}`] : [];
      })
      .join(', ');
  const name = `${model}, single steps, llama.cpp with ${against(peer)}`;
  return [...[name, String(threads), ratios('decoding at'), ratios('prefill of'), linkTo(file)]];
}

function olderCompletions({ file, threads, summary }: Found<CompletionSummary>): string[] {
  const { model, peer, context } = summary;
  const ratio = decodingAgainst(summary, 'exact', 'llama');
  const name = `${model}, whole completions, llama.cpp with ${against(peer)}`;
  const decoding = ratio === undefined ? '' : `${context}: ${(1 / ratio).toFixed(2)} (exact mode)`;
  return [name, String(threads), decoding, '', linkTo(file)];
}

const number = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
