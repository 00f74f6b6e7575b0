/** The goals beside llama.cpp: from whole completions, or estimated from single steps. Pure. */
import { threadsOf } from '../environment';
import {
  completionsOf,
  decodingAgainst,
  goalOf,
  PEER_GOALS,
  roundsOf,
  type PeerGoal,
} from './beside';
import type { RunFigures } from './figures';
import { largest, lineRuns, type Shown } from './goal';
import type { Evidence } from './load';
import { linkTo, listOf, machineName, times } from './markdown';
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
      const ratio = decodingAgainst(summary, 'exact', 'llama');
      if (ratio === undefined) return [];
      const plain = decodingAgainst(summary, 'ar', 'llama') ?? NaN;
      const lookup = decodingAgainst(summary, 'exact', 'llama-lookup');
      return [{ file, threads, summary, ratio, plain, lookup }];
    },
  );
  const worst = found.toSorted((a, b) => a.ratio - b.ratio)[0];
  if (!worst) return undefined;
  const { ratio, plain, lookup } = worst;
  const others = found.filter((each) => each !== worst);
  const nameOf = ({ summary: { context }, threads }: typeof worst) =>
    `context ${context}, ${threadsOf(threads)}`;
  return {
    ...{ met: ratio >= PEER_GOALS[which], figure: times(ratio) },
    remark: listOf(
      `the worst of ${found.length}: ${nameOf(worst)}`,
      `plain against plain ${times(plain)}`,
      missingToPeer(ratio, plain, PEER_GOALS[which]),
      lookup === undefined ? '' : `against its own lookup ${times(lookup)}`,
      ...others.map((each) => `${nameOf(each)} ${times(each.ratio)}`),
    ),
    raw: listOf(...new Set(found.map(({ file }) => linkTo(file)))),
  };
}

/**
 * Where no whole completions were measured: a plain step against a plain one, times exact mode. Of all
 * contexts, numbers of threads and files of the peer's the one in which our engine fares worst.
 */
export function productGoal(
  { peers, runs }: Evidence,
  model: Shipped,
  which: PeerGoal,
): Shown | undefined {
  const found = roundsOf(peers, [model]).current.flatMap(({ machine, file, threads, summary }) =>
    summary.model === model.id && goalOf(summary.peer) === which
      ? summary.lines
          .filter(({ what }) => /^decoding at/.test(what))
          .map((line) => ({ file, line, on: `${machine}, ${threadsOf(threads)}` }))
      : [],
  );
  const worst = found.toSorted((a, b) => b.line.ratio - a.line.ratio)[0];
  if (!worst) return undefined;
  const plain = 1 / worst.line.ratio;
  const exact = largest(
    lineRuns(runs, model).filter(({ points }) => points.some(({ mode }) => mode === 'exact')),
  );
  const speedUp = exact?.points.find(({ mode }) => mode === 'exact')?.figures.speedUp;
  const whole = plain * (speedUp ?? 1);
  return {
    ...{ met: whole >= PEER_GOALS[which], figure: times(whole) },
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
  return `${times(goal - ratio)} short, for which exact mode would have to be ${times(goal / plain)} plain decoding, or plain steps that much cheaper`;
}
