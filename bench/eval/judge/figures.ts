/**
 * What a judge's verdicts are worth, and what they say: its consistency first, then wins and losses of
 * each mode, and where their line over speed-up crosses 1. Pure.
 */
import { basename } from 'node:path';
import type { RunFigures } from '../figures';
import { mean } from '../../numbers';
import { regression } from '../statistics';
import type { JudgeResults, JudgeRow } from './results';

export interface Consistency {
  /** Identical texts that it called a tie, of so many. */
  readonly identical: Share;
  /** Pairs whose verdict was the same in both orders. */
  readonly orders: Share;
  /** Damaged texts that lost to whole ones, in either order. */
  readonly damaged: Share;
  /** Answers that were a verdict. */
  readonly answered: Share;
  /** Why its verdicts do not count; undefined when they do. */
  readonly failure: string | undefined;
}

export interface Share {
  readonly count: number;
  readonly of: number;
}

export interface JudgedMode {
  readonly texts: string;
  readonly mode: string;
  /** Over plain decoding's, of the texts' own run; undefined when that run is not there. */
  readonly speedUp: number | undefined;
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** Wins over losses, the paper's; undefined without any loss. Where it is 1, the share won is a half. */
  readonly winRate: number | undefined;
  /** Of its pairs those that it won, ties by half; in [0, 1], and there without any loss, too. */
  readonly wonShare: number;
  /** Mean mark of its texts less that of plain decoding's; undefined without marks. */
  readonly marks: number | undefined;
}

export interface JudgeFigures {
  readonly file: string;
  readonly judge: string;
  readonly endpoint: string | null;
  readonly judgements: number;
  readonly consistency: Consistency;
  readonly modes: readonly JudgedMode[];
  /** By the texts' file. */
  readonly lines: readonly JudgedLine[];
}

/**
 * The straight line of shares won over speed-up, told as wins over losses near 1: for a share s close to a
 * half, s / (1 − s) is 4 s − 1.
 */
export interface JudgedLine {
  readonly texts: string;
  readonly slope: number;
  readonly intercept: number;
  /** Speed-up where the line crosses wins over losses of 1, the paper's same-quality speed-up; or why not. */
  readonly sameQuality: number | string;
}

/** What a judge has to show before its verdicts count. */
const LEAST = { identical: 0.9, orders: 0.75, damaged: 0.75, answered: 0.95 } as const;
/** Pairs or controls below which nothing is shown. */
const FEWEST = 8;

export function judgeFigures(
  file: string,
  { header, rows }: JudgeResults,
  runs: readonly RunFigures[],
): JudgeFigures {
  const all = [...rows.values()];
  const consistency = consistencyOf(all);
  const modes = judgedModes(all, runs);
  const texts = [...new Set(modes.map((mode) => mode.texts))];
  return {
    ...{ file, judge: header.judge, endpoint: header.endpoint, judgements: all.length },
    consistency,
    modes,
    lines: texts.map((each) => lineOf(each, modes, consistency)),
  };
}

/** @param slack how far below what it has to show a share may be */
export function consistencyOf(rows: readonly JudgeRow[], slack = 0): Consistency {
  const ofType = (type: JudgeRow['type']) => rows.filter((row) => row.type === type);
  const share = <T>(items: readonly T[], holds: (item: T) => boolean): Share => ({
    count: items.filter(holds).length,
    of: items.length,
  });
  const identical = share(ofType('identical'), ({ verdict }) => verdict === 'tie');
  const damaged = share(ofType('damaged'), (row) => winnerOf(row) === 'plain');
  const orders = share(bothOrders(rows), ([one, other]) => winnerOf(one) === winnerOf(other));
  const answered = share(rows, ({ verdict, mark }) => verdict !== null || mark !== null);
  const measured = { identical, orders, damaged, answered };
  const names = ['identical', 'orders', 'damaged', 'answered'] as const;
  const reasons = names.flatMap((name) => {
    const { count, of } = measured[name];
    if (of < FEWEST) return [`${REASONS[name]}: only ${of} were judged, fewer than ${FEWEST}`];
    if (count / of >= LEAST[name] - slack) return [];
    return [`${REASONS[name]} in ${count} of ${of}, less than ${100 * LEAST[name]} %`];
  });
  return { ...measured, failure: reasons.length > 0 ? reasons.join('; ') : undefined };
}

const REASONS = {
  identical: 'identical texts tie',
  orders: 'the verdict stays when the texts change places',
  damaged: 'shuffled words lose',
  answered: 'it answers with a verdict',
} as const;

/** Whose text a verdict prefers. */
function winnerOf({ verdict, first }: JudgeRow): 'plain' | 'own' | 'tie' | undefined {
  if (verdict === null) return undefined;
  if (verdict === 'tie') return 'tie';
  const second = first === 'plain' ? 'own' : 'plain';
  return verdict === 'A' ? first : second;
}

/** Pairs that were judged in both orders. */
function bothOrders(rows: readonly JudgeRow[]): (readonly [JudgeRow, JudgeRow])[] {
  const waiting = new Map<string, JudgeRow>();
  const pairs: (readonly [JudgeRow, JudgeRow])[] = [];
  for (const row of rows) {
    if (row.type !== 'pair') continue;
    const key = JSON.stringify([row.texts, row.sha256, row.task, row.mode]);
    const other = waiting.get(key);
    if (other && other.first !== row.first) pairs.push([other, row]);
    else waiting.set(key, row);
  }
  return pairs;
}

function judgedModes(rows: readonly JudgeRow[], runs: readonly RunFigures[]): JudgedMode[] {
  const tallies = new Map<
    string,
    { texts: string; mode: string; own: number; plain: number; tie: number }
  >();
  for (const [one, other] of bothOrders(rows)) {
    const { texts, mode } = one;
    const key = JSON.stringify([texts, mode]);
    const tally = tallies.get(key) ?? { texts, mode, own: 0, plain: 0, tie: 0 };
    const winner = winnerOf(one);
    // What only one order says is no verdict on the texts.
    tally[winner !== undefined && winner === winnerOf(other) ? winner : 'tie'] += 1;
    tallies.set(key, tally);
  }
  return [...tallies.values()].map(({ texts, mode, own: wins, plain: losses, tie: ties }) => ({
    ...{ texts, mode, wins, losses, ties },
    winRate: losses === 0 ? undefined : wins / losses,
    wonShare: (wins + ties / 2) / (wins + losses + ties),
    speedUp: runs
      .find(({ file }) => basename(file) === texts)
      ?.points.find((point) => point.mode === mode)?.figures.speedUp,
    marks: marksOf(rows, texts, mode),
  }));
}

function marksOf(rows: readonly JudgeRow[], texts: string, mode: string): number | undefined {
  const of = (wanted: string) =>
    rows.flatMap((row) =>
      row.type === 'single' && row.texts === texts && row.mode === wanted ? (row.mark ?? []) : [],
    );
  const [own, plain] = [of(mode), of('ar')];
  return own.length > 0 && plain.length > 0 ? mean(own) - mean(plain) : undefined;
}

function lineOf(texts: string, modes: readonly JudgedMode[], { failure }: Consistency): JudgedLine {
  const points = modes.flatMap(({ speedUp, wonShare, ...mode }) =>
    mode.texts === texts && speedUp !== undefined ? [[speedUp, wonShare] as const] : [],
  );
  const { slope, intercept } = regression(points);
  const sameQuality =
    failure === undefined
      ? crossingOf(points, (0.5 - intercept) / slope, slope)
      : 'no verdict: the judge is not consistent';
  return { texts, slope: 4 * slope, intercept: 4 * intercept - 1, sameQuality };
}

/** Nothing is said of speeds that no mode was judged at. */
function crossingOf(
  points: readonly (readonly [speedUp: number, share: number])[],
  crossing: number,
  slope: number,
): number | string {
  if (points.length < 3) return 'no verdict: fewer than three modes were judged';
  if (!(slope < 0)) return 'no verdict: the win rate does not fall with speed';
  const speeds = points.map(([speed]) => speed);
  const slowest = Math.min(...speeds);
  if (crossing < slowest) {
    return `none: the line crosses 1 below the slowest mode, ${slowest.toFixed(2)} ×`;
  }
  return Math.min(crossing, Math.max(...speeds));
}
