/** The goals beside llama.cpp: from whole completions, or estimated from single steps. Pure. */
import { threadsOf } from '../environment';
import { decodingAgainst } from '../peers/completion-summary';
import {
  completionsOf,
  goalOf,
  PEER_GOALS,
  roundsOf,
  sizeOf,
  whereOf,
  type PeerGoal,
} from './beside';
import type { RunFigures } from './figures';
import { largest, lineRuns, verdictOf, type Shown } from './goal';
import type { Evidence } from './load';
import { linkTo, listOf, machineName, times, timesWithRange } from './markdown';
import type { Shipped } from './shipped';

/** From whole completions: the context and threads in which our engine fares worst. */
export function completionGoal(
  { completions }: Evidence,
  model: Shipped,
  which: PeerGoal,
): Shown | undefined {
  const found = completionsOf(completions, [model]).current.flatMap(
    ({ file, threads, summary }) => {
      if (summary.model !== model.id || goalOf(summary.peer) !== which) return [];
      const speed = decodingAgainst(summary, 'exact', 'llama');
      if (!speed) return [];
      const plain = decodingAgainst(summary, 'ar', 'llama')?.ratio ?? NaN;
      const lookup = decodingAgainst(summary, 'exact', 'llama-lookup')?.ratio;
      return [{ file, threads, summary, speed, plain, lookup }];
    },
  );
  const worst = found.toSorted((a, b) => a.speed.ratio - b.speed.ratio)[0];
  if (!worst) return undefined;
  const { speed, plain, lookup } = worst;
  const others = found.filter((each) => each !== worst);
  const nameOf = ({ summary: { context }, threads }: typeof worst) =>
    `context ${context}, ${threadsOf(threads)}`;
  return {
    ...{
      verdict: verdictOf(speed.interval, PEER_GOALS[which]),
      figure: timesWithRange(speed.ratio, speed.interval),
    },
    remark: listOf(
      `the worst of ${found.length}: ${nameOf(worst)}, ${sizeOf(worst.summary)}`,
      `plain against plain ${times(plain)}`,
      missingToPeer(speed.ratio, plain, PEER_GOALS[which]),
      lookup === undefined ? '' : `against its own lookup ${times(lookup)}`,
      ...others.map(
        (each) => `${nameOf(each)} ${timesWithRange(each.speed.ratio, each.speed.interval)}`,
      ),
    ),
    raw: listOf(...new Set(found.map(({ file }) => linkTo(file)))),
  };
}

/**
 * Where no whole completions were measured: a plain step against a plain one, times exact mode. Of all
 * contexts, numbers of threads and files of the peer's the one in which our engine fares worst. An estimate
 * shows no goal to be met.
 */
export function productGoal(
  { peers, runs }: Evidence,
  model: Shipped,
  which: PeerGoal,
): Shown | undefined {
  const found = roundsOf(peers, [model]).current.flatMap((run) => {
    const { file, threads, summary } = run;
    if (summary.model !== model.id || goalOf(summary.peer) !== which) return [];
    const on = `${whereOf(run)}, ${threadsOf(threads)}`;
    const steps = summary.lines.filter(({ what }) => /^decoding at/.test(what));
    return steps.map((line) => ({ file, line, on }));
  });
  const worst = found.toSorted((a, b) => b.line.ratio - a.line.ratio)[0];
  if (!worst) return undefined;
  const plain = 1 / worst.line.ratio;
  const exact = largest(
    lineRuns(runs, model).filter(({ points }) => points.some(({ mode }) => mode === 'exact')),
  );
  const speedUp = exact?.points.find(({ mode }) => mode === 'exact')?.figures.speedUp;
  const whole = plain * (speedUp ?? 1);
  return {
    verdict: whole >= PEER_GOALS[which] ? 'not shown' : 'missed',
    figure: times(whole),
    remark: listOf(
      `the worst of ${found.length}: ${worst.line.what}, plain against plain ${times(plain)}`,
      exact && speedUp !== undefined
        ? estimated(worst.on, exact, speedUp)
        : 'exact mode was not measured on lines',
      missingToPeer(whole, plain, PEER_GOALS[which]),
    ),
    raw: listOf(linkTo(worst.file), exact ? linkTo(exact.file) : ''),
  };
}

/** @param on machine and threads of the other run */
function estimated(on: string, { header }: RunFigures, speedUp: number): string {
  const own = `${machineName(header.environment)}, ${threadsOf(header.threads)}`;
  const where = on === own ? '' : `: steps on ${on}; exact mode on ${own}`;
  return `exact mode over plain ${times(speedUp)}; the figure is their product, an estimate from two runs${where}`;
}

/** How far it is, and what would close it; nothing where the goal is met. */
function missingToPeer(ratio: number, plain: number, goal: number): string {
  if (ratio >= goal) return '';
  return `${times(goal / ratio)} faster is needed: exact mode at ${times(goal / plain)} plain decoding, or cheaper steps of both`;
}
