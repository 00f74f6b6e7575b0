/** The goals, each beside what was measured of it: how far it is, and what it would take. Pure. */
import { comparePaired } from '../infilling/statistics';
import {
  completionsOf,
  decodingAgainst,
  goalOf,
  PEER_GOALS,
  roundsOf,
  type PeerGoal,
} from './beside';
import { ceilingOf, sameQualityPoint, type RunFigures } from './figures';
import type { Evidence } from './load';
import { linkTo, NOT_MEASURED, points, range, threadsOf, times } from './markdown';

/** The paper's, of its 7.3B with three tokens. */
export const SAME_QUALITY_GOAL = 2.57;
export const EXACT_GOAL = 0.97;
/** HumanEval single-line infilling has so many tasks; fewer are a sample. */
const ALL_TASKS = 1033;

export interface Goal {
  readonly goal: string;
  readonly figure: string;
  /** Undefined where it was not measured. */
  readonly met: boolean | undefined;
  /** What is missing, or what stands behind the figure. */
  readonly remark: string;
  readonly raw: string;
}

export function goalsOf(evidence: Evidence, models: readonly string[]): Goal[] {
  return [
    ...models.map((model) => sameQualityGoal(evidence, model)),
    ...models.map((model) => exactGoal(evidence, model)),
    ...models.flatMap((model) => peerGoals(evidence, model)),
    headOneGoal(evidence),
  ];
}

/** The run of a model and kind with the most tasks that `fits`; of several the last one. */
export function largest(
  runs: readonly RunFigures[],
  fits: (run: RunFigures) => boolean,
): RunFigures | undefined {
  return runs
    .filter(fits)
    .reduce<RunFigures | undefined>(
      (best, run) => (best && best.tasks > run.tasks ? best : run),
      undefined,
    );
}

function missing(goal: string): Goal {
  return { goal, figure: NOT_MEASURED, met: undefined, remark: '', raw: '' };
}

function sameQualityGoal({ runs }: Evidence, model: string): Goal {
  const goal = `${model}: same-quality speed-up ≥ ${SAME_QUALITY_GOAL} ×`;
  const run = largest(
    runs,
    ({ header, kind, measure, points }) =>
      header.model === model &&
      kind === 'line' &&
      measure === 'passed' &&
      points.some(({ epsilon }) => epsilon !== undefined),
  );
  if (!run) return missing(goal);
  const [same, ceiling] = [sameQualityPoint(run), ceilingOf(run)];
  const tasks = same?.figures.tasks ?? run.tasks;
  const sample = tasks < ALL_TASKS ? `a sample, ${tasks} of ${ALL_TASKS} tasks` : '';
  const exact = run.points.find(({ mode }) => mode === 'exact');
  const beside = exact
    ? `exact mode, whose text is plain decoding's, ${times(exact.figures.speedUp)}`
    : '';
  const top = ceiling
    ? `ceiling on this machine ${times(ceiling.figures.speedUp)}: every step takes ${ceiling.figures.tokensPerStep.toFixed(2)} tokens, right or wrong`
    : '';
  if (!same) {
    return {
      ...{ goal, figure: 'none shown', met: false, raw: linkTo(run.file) },
      remark: list('no ε_b is shown to keep the quality', beside, top, sample),
    };
  }
  const { speedUp } = same.figures;
  // Behind the first step, which the prefill gives.
  const tokensPerStep = speedUp * same.stepCost;
  const needed = SAME_QUALITY_GOAL * same.stepCost;
  return {
    ...{ goal, met: speedUp >= SAME_QUALITY_GOAL, raw: linkTo(run.file) },
    figure: `${times(speedUp)} (ε_b ${same.epsilon ?? ''})`,
    remark: list(
      speedUp < SAME_QUALITY_GOAL
        ? `${times(SAME_QUALITY_GOAL - speedUp)} short; its step costs ${times(same.stepCost)} a plain one, so it needs ${needed.toFixed(2)} tokens a step and has ${tokensPerStep.toFixed(2)}`
        : '',
      beside,
      top,
      sample,
    ),
  };
}

function exactGoal({ runs }: Evidence, model: string): Goal {
  const goal = `${model}: exact mode ≥ ${EXACT_GOAL} × plain`;
  const measured = runs.flatMap((run) => {
    const point = run.points.find(({ mode }) => mode === 'exact');
    return run.header.model === model && point && run.tasks > 1 ? [{ run, point }] : [];
  });
  const slowest = measured.reduce<(typeof measured)[number] | undefined>(
    (least, each) =>
      least && least.point.figures.speedUp <= each.point.figures.speedUp ? least : each,
    undefined,
  );
  if (!slowest) return missing(goal);
  const { run, point } = slowest;
  const { speedUp, speedUpInterval, same } = point.figures;
  // Speed that changes the text is none: every run must have plain decoding's.
  const changed = measured.find(({ point: { figures } }) => figures.same < figures.tasks);
  return {
    ...{ goal, met: speedUp >= EXACT_GOAL && !changed, raw: linkTo(run.file) },
    figure: `${times(speedUp)} (${range(speedUpInterval, (value) => value.toFixed(2))})`,
    remark: list(
      `the slowest of ${measured.length} runs: ${run.kind}, same text in ${same} of ${run.tasks}`,
      changed ? `**another text than plain decoding's in ${changed.run.file}**` : '',
    ),
  };
}

function peerGoals(evidence: Evidence, model: string): Goal[] {
  return (['same', 'other'] as const).map((which) => {
    const against = which === 'same' ? 'the same GGUF' : 'its fastest quantisation';
    const goal = `${model}: decoding ≥ ${PEER_GOALS[which]} × llama.cpp on ${against}`;
    return (
      completionGoal(evidence, model, which, goal) ??
      productGoal(evidence, model, which, goal) ??
      missing(goal)
    );
  });
}

/** From whole completions: the context and threads in which our engine fares worst. */
function completionGoal(
  { completions }: Evidence,
  model: string,
  which: PeerGoal,
  goal: string,
): Goal | undefined {
  const found = completionsOf(completions).current.flatMap(({ file, threads, summary }) => {
    if (summary.model !== model || goalOf(summary.peer) !== which) return [];
    const ratio = decodingAgainst(summary, 'exact', 'llama');
    if (ratio === undefined) return [];
    const plain = decodingAgainst(summary, 'ar', 'llama') ?? NaN;
    const lookup = decodingAgainst(summary, 'exact', 'llama-lookup');
    return [{ file, threads, summary, ratio, plain, lookup }];
  });
  const worst = found.toSorted((a, b) => a.ratio - b.ratio)[0];
  if (!worst) return undefined;
  const { ratio, plain, lookup } = worst;
  const others = found.filter((each) => each !== worst);
  const nameOf = ({ summary: { context }, threads }: typeof worst) =>
    `context ${context}, ${threadsOf(threads)}`;
  return {
    ...{ goal, met: ratio >= PEER_GOALS[which], figure: times(ratio) },
    remark: list(
      `the worst of ${found.length}: ${nameOf(worst)}`,
      `plain against plain ${times(plain)}`,
      missingToPeer(ratio, plain, PEER_GOALS[which]),
      lookup === undefined ? '' : `against its own lookup ${times(lookup)}`,
      ...others.map((each) => `${nameOf(each)} ${times(each.ratio)}`),
    ),
    raw: list(...new Set(found.map(({ file }) => linkTo(file)))),
  };
}

/** Where no whole completions were measured: a plain step against a plain one, times exact mode. */
function productGoal(
  { peers, runs }: Evidence,
  model: string,
  which: PeerGoal,
  goal: string,
): Goal | undefined {
  const found = roundsOf(peers).current.flatMap(({ file, summary }) =>
    summary.model === model && goalOf(summary.peer) === which
      ? summary.lines
          .filter(({ what }) => /^decoding at/.test(what))
          .slice(0, 1)
          .map((line) => ({ file, line }))
      : [],
  );
  // The one in which our engine fares worst.
  const worst = found.toSorted((a, b) => b.line.ratio - a.line.ratio)[0];
  if (!worst) return undefined;
  const plain = 1 / worst.line.ratio;
  const exact = largest(
    runs,
    ({ header, kind, points }) =>
      header.model === model && kind === 'line' && points.some(({ mode }) => mode === 'exact'),
  );
  const point = exact?.points.find(({ mode }) => mode === 'exact');
  const whole = plain * (point?.figures.speedUp ?? 1);
  return {
    ...{ goal, met: whole >= PEER_GOALS[which], figure: times(whole) },
    remark: list(
      `${worst.line.what}, plain against plain ${times(plain)}`,
      point
        ? `exact mode over plain ${times(point.figures.speedUp)}; the figure is their product`
        : 'exact mode was not measured on lines',
      missingToPeer(whole, plain, PEER_GOALS[which]),
    ),
    raw: list(linkTo(worst.file), exact && point ? linkTo(exact.file) : ''),
  };
}

/** How far it is, and what would close it; nothing where the goal is met. */
function missingToPeer(ratio: number, plain: number, goal: number): string {
  if (ratio >= goal) return '';
  return `${times(goal - ratio)} short, for which exact mode would have to be ${times(goal / plain)} plain decoding, or plain steps that much cheaper`;
}

function headOneGoal({ infilling }: Evidence): Goal {
  const goal = 'head 1 as good as the base (int8 against fp32 reference, tests passed)';
  const [reference, own] = ['fp32-suffix-first', 'int8-suffix-first'].map((name) =>
    infilling.find(({ file }) => file.includes(name)),
  );
  if (!reference || !own) return missing(goal);
  const outcomes = [...reference.results.rows].flatMap(([id, { verdict }]) => {
    const other = own.results.rows.get(id);
    return other ? [[verdict === 'passed', other.verdict === 'passed'] as const] : [];
  });
  const { difference, interval, tasks } = comparePaired(outcomes);
  return {
    ...{ goal, met: interval.low <= 0 && interval.high >= 0 },
    figure: `${points(difference)} points (${range(interval, points)})`,
    remark: `${tasks} tasks; heads never change it, for the trunk is the base`,
    raw: list(linkTo(reference.file), linkTo(own.file)),
  };
}

const list = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== '').join('; ');
