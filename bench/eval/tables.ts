/** Tables of what bench/steps measured, and what is said above them. Pure. */
import { describeEnvironment, threadsOf } from '../environment';
import { CLUSTER_NAMES } from '../steps/clusters';
import type { Difference } from '../steps/paired';
import { calibrationOf } from './calibrate';
import { ablationOf, sameQualityPoint, type ModePoint, type RunFigures } from './figures';
import type { Evidence } from './load';
import {
  linkTo,
  machineName,
  percent,
  points,
  range,
  tableOf,
  times,
  weightsName,
} from './markdown';
import { MEASURE_NAMES, MEASURES } from './scores';
import { isCurrent, type Shipped, type Weights } from './shipped';
import { FEWEST } from './statistics';

/** Whether it is of the weights that are shipped. */
export const isShipped = ({ header }: RunFigures, shipped: readonly Shipped[]): boolean =>
  isCurrent(shipped, header.model, header);

export function nameOf(run: RunFigures, shipped: readonly Shipped[]): string {
  const { header, kind } = run;
  const { model, heads, precision, threads } = header;
  const earlier = isShipped(run, shipped) ? '' : ', of earlier weights';
  return `${model}, ${kind}, ${sizeOf(run)} (heads ${heads}, ${precision}, ${threadsOf(threads)}${earlier})`;
}

const sizeOf = ({ kind, tasks, clusters }: RunFigures): string =>
  `${tasks} tasks of ${clusters} ${CLUSTER_NAMES[kind]}`;

export const rawOf = ({ file }: RunFigures): string => `Raw: ${linkTo(file)}.`;

export function calibrationVerdict(run: RunFigures): string {
  const { epsilon, rows, tasks } = calibrationOf(run);
  return `**ε_b ${epsilon}, ${rows} rows** a step at most, from ${tasks} places.`;
}

export function sweepVerdict(run: RunFigures): string {
  const same = sameQualityPoint(run);
  const few =
    run.clusters < FEWEST
      ? ` ${run.clusters} ${CLUSTER_NAMES[run.kind]} are too few to show it; ${FEWEST} are needed.`
      : '';
  if (!same) return `No ε_b is shown to keep the quality of plain decoding.${few}`;
  if (same.plainByDefinition) {
    return (
      '**Same-quality speed-up 1 × by definition**, at ε_b 1, where fast mode takes one token a step: ' +
      `no smaller one is shown to keep the quality.${few}`
    );
  }
  const { speedUp, speedUpInterval } = same.figures;
  const interval = range(speedUpInterval, (value) => value.toFixed(2));
  return `**Same-quality speed-up ${times(speedUp)}** (${interval}) at ε_b ${same.epsilon ?? ''}.`;
}

/** @param same the point to mark */
export function sweepTable(run: RunFigures, same = sameQualityPoint(run)): string {
  const measures = MEASURES.filter((measure) => run.points.some(({ scores }) => scores[measure]));
  const row = (point: ModePoint): string[] => [
    point === same ? `**${point.mode}**` : point.mode,
    speed(point),
    point.figures.tokensPerStep.toFixed(2),
    point.shares.map((share) => (100 * share).toFixed(0)).join(' / '),
    times(point.stepCost),
    ...measures.map((measure) => scoreCell(point, point.scores[measure])),
    `${point.figures.same} of ${point.figures.tasks}`,
  ];
  const names = measures.map((measure) => `${MEASURE_NAMES[measure]}, points from plain`);
  return tableOf(
    [
      ...['mode', 'speed-up', 'tokens a step', 'steps of 1, 2, … tokens, %', 'cost of a step'],
      ...[...names, 'same text'],
    ],
    run.points.map(row),
  );
}

function scoreCell({ mode, plainByDefinition }: ModePoint, score: Difference | undefined): string {
  if (!score) return '';
  if (mode === 'ar') return percent(score.own);
  const difference = plainByDefinition ? 'the same by definition' : differenceOf(score);
  return `${percent(score.own)}, ${difference}`;
}

const differenceOf = ({ difference, interval }: Difference): string =>
  `${points(difference)} (${range(interval, points)})`;

const speed = ({ figures, mode }: ModePoint): string =>
  mode === 'ar'
    ? '1'
    : `${times(figures.speedUp)} (${range(figures.speedUpInterval, (value) => value.toFixed(2))})`;

export function exactTable(runs: readonly RunFigures[], shipped: readonly Shipped[]): string {
  const rows = runs.flatMap((run) =>
    run.points
      .filter(({ mode }) => mode.startsWith('exact'))
      .map((point) => {
        const { header, kind } = run;
        const { model, heads, threads, environment } = header;
        return [
          ...[`${model}, ${kind}`, sizeOf(run), heads, weightsName(isShipped(run, shipped))],
          ...[machineName(environment), threadsOf(threads), point.mode, speed(point)],
          point.figures.tokensPerStep.toFixed(2),
          `${point.figures.same} of ${point.figures.tasks}`,
          ...[held(point, 'head'), held(point, 'lookup'), linkTo(run.file)],
        ];
      }),
  );
  return tableOf(
    [
      ...['', 'tasks', 'heads', 'weights', 'machine', 'threads', 'drafts', 'speed-up'],
      ...['tokens a step', 'same text', 'heads’ held', 'lookup’s held', 'raw'],
    ],
    rows,
  );
}

function held({ figures }: ModePoint, source: 'head' | 'lookup'): string {
  const { accepted, tokens } = figures.drafts[source];
  return tokens === 0 ? '' : `${accepted} of ${tokens}`;
}

export function ablationTable(run: RunFigures): string {
  const { measure } = run;
  return tableOf(
    [
      'mode',
      'speed-up',
      'tokens a step',
      measure ? `${MEASURE_NAMES[measure]}, points from plain` : '',
    ],
    ablationOf(run).map((point) => {
      const score = measure && point.scores[measure];
      return [
        `\`${point.mode}\``,
        speed(point),
        point.figures.tokensPerStep.toFixed(2),
        score ? differenceOf(score) : '',
      ];
    }),
  );
}

export function machineTable(
  { runs, peers, completions }: Evidence,
  shipped: readonly Shipped[],
): string {
  const files = new Map(runs.map((run) => [run.file, run]));
  const ours = [...files].map(([file, run]) => {
    const { heads, headsSha256, threads, environment } = run.header;
    return [
      linkTo(file),
      environment ? describeEnvironment(environment) : 'not recorded',
      threads === null ? 'the engine’s choice' : String(threads),
      `${heads}${headsSha256 ? ` \`${headsSha256.slice(0, 12)}\`` : ''}`,
      weightsName(isShipped(run, shipped)),
    ];
  });
  const beside = peers.map(({ file, processor, threads, environment, ...each }) => [
    linkTo(file),
    environment ? describeEnvironment(environment) : processor,
    ...[String(threads), '', besideWeights(each.models, each.weights, shipped)],
  ]);
  const wholes = completions.map(({ file, header: { environment, peer, threads }, ...each }) => [
    linkTo(file),
    `${describeEnvironment(environment)}, node-llama-cpp ${peer}`,
    ...[String(threads), '', besideWeights(each.groups, each.weights, shipped)],
  ]);
  const heading = ['raw', 'machine and versions', 'threads', 'heads (SHA-256)', 'weights'];
  return tableOf(heading, [...ours, ...beside, ...wholes], 'words');
}

function besideWeights(
  measured: readonly { readonly model: string }[],
  weights: Readonly<Record<string, Weights>>,
  shipped: readonly Shipped[],
): string {
  const current = measured.map(({ model }) => isCurrent(shipped, model, weights[model]));
  return [...new Set(current.map(weightsName))].sort().join(', ');
}
