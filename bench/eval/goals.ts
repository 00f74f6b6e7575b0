/**
 * The goals, each beside what was measured of it: how far it is, and what it would take. A goal is met by
 * runs of the weights that are shipped alone; of earlier ones it is only said what they showed. Pure.
 */
import { threadsOf } from '../environment';
import { PEER_GOALS } from './beside';
import { ceilingOf, sameQualityPoint, type ModePoint } from './figures';
import { isDefault, largestSweep, lineRuns, verdictOf, type Goal, type Shown } from './goal';
import { headOneGoal } from './head-one';
import type { Evidence } from './load';
import {
  counted,
  decimals,
  linkTo,
  listOf,
  NOT_MEASURED,
  range,
  times,
  timesWithRange,
} from './markdown';
import { completionGoal, productGoal } from './peer-goals';
import { otherThresholds } from './tables';
import { isCurrent, type Shipped } from './shipped';

/** The paper's, of its 7.3B with three tokens. */
export const SAME_QUALITY_GOAL = 2.57;
export const EXACT_GOAL = 0.97;
/** HumanEval single-line infilling has so many tasks; fewer are a sample. */
const ALL_TASKS = 1033;

type Judge = (evidence: Evidence, model: Shipped) => Shown | undefined;

export function goalsOf(evidence: Evidence, models: readonly Shipped[]): Goal[] {
  const current = currentOf(evidence, models);
  const goals = (name: string, shown: Judge) => (model: Shipped) => ({
    goal: `${model.id}: ${name}`,
    ...(shown(current, model) ?? earlier(shown(evidence, model)) ?? NOTHING),
  });
  const peers = (['same', 'other'] as const).map((which) => {
    const against = which === 'same' ? 'the same GGUF' : 'its Q4_0';
    return goals(
      `decoding ≥ ${PEER_GOALS[which]} × llama.cpp on ${against}`,
      (of, model) => completionGoal(of, model, which) ?? productGoal(of, model, which),
    );
  });
  return [
    ...models.map(goals(`same-quality speed-up ≥ ${SAME_QUALITY_GOAL} ×`, sameQualityGoal)),
    ...models.map(goals(`exact mode ≥ ${EXACT_GOAL} × plain`, exactGoal)),
    ...models.flatMap((model) => peers.map((goal) => goal(model))),
    ...models.map(
      goals('head 1 as good as the base (int8 against fp32, tests passed)', headOneGoal),
    ),
  ];
}

const NOTHING: Shown = { figure: NOT_MEASURED, verdict: undefined, remark: '', raw: '' };

/** What superseded weights showed: it neither meets a goal nor misses it. */
function earlier(shown: Shown | undefined): Shown | undefined {
  if (!shown) return undefined;
  const { figure, remark, raw } = shown;
  return { ...NOTHING, remark: listOf(`of earlier weights: ${figure}`, remark), raw };
}

/** What of it is of the weights that are shipped. What our engine did not complete stays. */
function currentOf(evidence: Evidence, models: readonly Shipped[]): Evidence {
  const { runs, peers, completions } = evidence;
  return {
    ...evidence,
    runs: runs.filter(({ header }) => isCurrent(models, header.model, header)),
    peers: peers.map((each) => ({
      ...each,
      models: each.models.filter(({ model }) => isCurrent(models, model, each.weights[model])),
    })),
    completions: completions.map((each) => ({
      ...each,
      groups: each.groups.filter(({ model }) => isCurrent(models, model, each.weights[model])),
    })),
  };
}

function sameQualityGoal({ runs }: Evidence, model: Shipped): Shown | undefined {
  const run = largestSweep(lineRuns(runs, model).filter(({ measure }) => measure === 'passed'));
  if (!run) return undefined;
  const [same, ceiling] = [sameQualityPoint(run), ceilingOf(run)];
  const tasks = same && !same.plainByDefinition ? same.figures.tasks : run.tasks;
  const sample = tasks < ALL_TASKS ? `a sample, ${tasks} of ${ALL_TASKS} tasks` : '';
  const exact = run.points.find(({ mode }) => mode === 'exact');
  const beside = exact
    ? `exact mode, whose text is plain decoding's, ${times(exact.figures.speedUp)} (${neededBy(exact)})`
    : '';
  const top = ceiling
    ? `with these heads fast mode reaches at most ${times(ceiling.figures.speedUp)}, at ε_b 0 (${ceiling.figures.tokensPerStep.toFixed(2)} tokens a step, right or wrong; ${ceiling.figures.tasks} tasks)`
    : '';
  const raw = linkTo(run.file);
  if (!same || same.plainByDefinition) {
    const figure = same ? '1 × by definition (ε_b 1)' : 'none shown';
    const remark = listOf(otherThresholds(run), beside, top, sample);
    return { figure, verdict: 'missed', remark, raw };
  }
  const { speedUp, speedUpInterval } = same.figures;
  return {
    ...{ verdict: verdictOf(speedUpInterval, SAME_QUALITY_GOAL), raw },
    figure: `${times(speedUp)} (${range(speedUpInterval, decimals)}; ε_b ${same.epsilon ?? ''})`,
    remark: listOf(
      speedUp < SAME_QUALITY_GOAL
        ? `${times(SAME_QUALITY_GOAL - speedUp)} short; ${neededBy(same)}`
        : '',
      beside,
      top,
      sample,
    ),
  };
}

/**
 * What the goal would take. Behind the first token: what a first step gives beyond it is shared out among the
 * steps behind it.
 */
function neededBy({ figures: { speedUp }, stepCost }: ModePoint): string {
  const [needed, has] = [SAME_QUALITY_GOAL, speedUp].map((each) => (each * stepCost).toFixed(2));
  return `its step costs ${times(stepCost)} a plain one, so it needs ${needed} tokens a step and has ${has}`;
}

/** Single lines have the fewest drafts that hold, so a model is not judged without any. */
function exactGoal({ runs }: Evidence, model: Shipped): Shown | undefined {
  const measured = runs.flatMap((run) => {
    const point = run.points.find(({ mode }) => mode === 'exact');
    return isDefault(run, model) && point && run.tasks > 1 ? [{ run, point }] : [];
  });
  if (!measured.some(({ run }) => run.kind === 'line')) return undefined;
  const [slowest] = measured.toSorted((a, b) => a.point.figures.speedUp - b.point.figures.speedUp);
  if (!slowest) return undefined;
  const { run, point } = slowest;
  const { speedUp, speedUpInterval, same } = point.figures;
  // Speed that changes the text is none: every run must have plain decoding's.
  const changed = measured.find(({ point: { figures } }) => figures.same < figures.tasks);
  return {
    verdict: changed ? 'missed' : verdictOf(speedUpInterval, EXACT_GOAL),
    raw: linkTo(run.file),
    figure: timesWithRange(speedUp, speedUpInterval),
    remark: listOf(
      `the slowest of ${counted(measured.length, 'run')}: ${run.kind}, ${threadsOf(run.header.threads)}, same text in ${same} of ${run.tasks}`,
      changed ? `**another text than plain decoding's in ${changed.run.file}**` : '',
    ),
  };
}
