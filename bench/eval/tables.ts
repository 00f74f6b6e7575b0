/** Tables of what bench/steps measured, and what is said above them. Pure. */
import { MOST_ROWS } from '../../src/decoding/exact';
import { describeEnvironment, threadsOf, type Environment } from '../environment';
import { CLUSTER_NAMES } from '../steps/clusters';
import { rowsOf } from '../steps/modes';
import type { Difference } from '../steps/paired';
import type { Calibration } from './calibrate';
import {
  ablationOf,
  keepsQuality,
  sameQualityPoint,
  sweepOf,
  type ModePoint,
  type RunFigures,
} from './figures';
import type { Evidence } from './load';
import {
  decimals,
  linkTo,
  machineName,
  percent,
  points,
  range,
  tableOf,
  times,
  timesWithRange,
  weightsName,
} from './markdown';
import { MEASURE_NAMES, MEASURES } from './scores';
import { isCurrent, withHeads, type Shipped, type Weights } from './shipped';
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

export const calibrationVerdict = ({ epsilon, rows, tasks }: Calibration): string =>
  `**ε_b ${epsilon}, ${rows} rows** a step at most, from ${tasks} places.`;

/** Below it two points are much of what plain decoding has. */
const LITTLE_PASSED = 0.1;

export function sweepVerdict(run: RunFigures): string {
  return [sameQualityVerdict(run), ...reservationsOn(run)].join(' ');
}

function sameQualityVerdict(run: RunFigures): string {
  const same = sameQualityPoint(run);
  if (!same) return 'No ε_b is shown to keep the quality of plain decoding.';
  if (same.plainByDefinition) {
    return (
      '**Same-quality speed-up 1 × by definition**, at ε_b 1, where fast mode takes one token a step: ' +
      `${otherThresholds(run)}.`
    );
  }
  const { speedUp, speedUpInterval } = same.figures;
  const interval = range(speedUpInterval, decimals);
  return `**Same-quality speed-up ${times(speedUp)}** (${interval}) at ε_b ${same.epsilon ?? ''}.`;
}

function reservationsOn({ clusters, kind, measure, points }: RunFigures): string[] {
  const plain = points.find(({ mode }) => mode === 'ar')?.scores.passed?.own;
  const little = measure === 'passed' && plain !== undefined && plain < LITTLE_PASSED;
  return [
    ...(clusters < FEWEST
      ? [`${clusters} ${CLUSTER_NAMES[kind]} are too few to show it; ${FEWEST} are needed.`]
      : []),
    ...(little
      ? [
          `Plain decoding itself passes ${percent(plain)} of the tests, so two points say little here.`,
        ]
      : []),
  ];
}

/** What is to be said of thresholds below 1 where the fastest way to keep the quality is plain decoding. */
export function otherThresholds(run: RunFigures): string {
  const kept = sweepOf(run).filter((point) => !point.plainByDefinition && keepsQuality(run, point));
  if (kept.length === 0) return 'no smaller ε_b is shown to keep the quality';
  const slower = kept.map(({ epsilon, figures }) => `${epsilon ?? ''} (${times(figures.speedUp)})`);
  return `ε_b ${slower.join(', ')} ${kept.length === 1 ? 'keeps' : 'keep'} the quality, too, and ${kept.length === 1 ? 'is' : 'are'} no faster; no other below 1 is shown to`;
}

/** @param marked mode to mark */
export function sweepTable(run: RunFigures, marked = sameQualityPoint(run)?.mode): string {
  const measures = MEASURES.filter((measure) => run.points.some(({ scores }) => scores[measure]));
  const row = (point: ModePoint): string[] => [
    point.mode === marked ? `**${point.mode}**` : point.mode,
    String(point.figures.tasks),
    speed(point),
    point.figures.tokensPerStep.toFixed(2),
    point.shares.map((share) => (100 * share).toFixed(0)).join(' / '),
    times(point.stepCost),
    ...measures.map((measure) =>
      scoreCell(point, point.scores[measure], point.figures.tasks < run.tasks),
    ),
    `${point.figures.same} of ${point.figures.tasks}`,
  ];
  const names = measures.map((measure) => `${MEASURE_NAMES[measure]}, points from plain`);
  return tableOf(
    [
      ...[
        'mode',
        'tasks',
        'speed-up',
        'tokens a step',
        'steps of 1, 2, … tokens, %',
        'cost of a step',
      ],
      ...[...names, 'same text'],
    ],
    run.points.map(row),
  );
}

/** @param sampled whether the mode was run on some of the tasks alone: what plain decoding has there is told, too */
function scoreCell(
  { mode, plainByDefinition }: ModePoint,
  score: Difference | undefined,
  sampled: boolean,
): string {
  if (!score) return '';
  if (mode === 'ar') return percent(score.own);
  const difference = plainByDefinition ? 'the same by definition' : differenceOf(score);
  const plain = sampled ? ` of ${percent(score.plain)}` : '';
  return `${percent(score.own)}${plain}, ${difference}`;
}

const differenceOf = ({ difference, interval }: Difference): string =>
  `${points(difference)} (${range(interval, points)})`;

const speed = ({ figures, mode }: ModePoint): string =>
  mode === 'ar' ? '1' : timesWithRange(figures.speedUp, figures.speedUpInterval);

export function exactTable(runs: readonly RunFigures[], shipped: readonly Shipped[]): string {
  const rows = runs.flatMap((run) =>
    run.points
      .filter(({ mode }) => mode.startsWith('exact'))
      .map((point) => {
        const { header, kind } = run;
        const { model, heads, threads, environment } = header;
        const most = rowsOf(point.mode) ?? header.rows ?? MOST_ROWS;
        return [
          ...[`${model}, ${kind}`, sizeOf(run), heads, weightsName(isShipped(run, shipped))],
          ...[machineName(environment), threadsOf(threads), String(most), point.mode, speed(point)],
          point.figures.tokensPerStep.toFixed(2),
          `${point.figures.same} of ${point.figures.tasks}`,
          ...[held(point, 'head'), held(point, 'lookup'), linkTo(run.file)],
        ];
      }),
  );
  return tableOf(
    [
      ...['', 'tasks', 'heads', 'weights', 'machine', 'threads', 'most rows', 'drafts', 'speed-up'],
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
  { runs, peers, completions, profiles, infilling, judges }: Evidence,
  shipped: readonly Shipped[],
): string {
  const files = new Map(runs.map((run) => [run.file, run]));
  const ours = [...files].map(([file, run]) => [
    ...[linkTo(file), machineAndVersions(run.header.environment)],
    run.header.threads === null ? 'the engine’s choice' : String(run.header.threads),
    ...[headsCell(run.header), weightsName(isShipped(run, shipped))],
  ]);
  const beside = peers.map(({ file, processor, threads, environment, models, weights }) => [
    linkTo(file),
    environment ? describeEnvironment(environment) : processor,
    ...[String(threads), ...besideCells(models, weights, shipped)],
  ]);
  const wholes = completions.map(
    ({ file, header: { environment, peer, threads }, groups, weights }) => [
      linkTo(file),
      `${describeEnvironment(environment)}, node-llama-cpp ${peer}`,
      ...[String(threads), ...besideCells(groups, weights, shipped)],
    ],
  );
  const profiled = profiles.map(({ file, header: { environment, threads, model } }) => [
    ...[linkTo(file), describeEnvironment(environment), String(threads)],
    ...besideCells([{ model: model.id }], { [model.id]: withHeads(model) }, shipped),
  ]);
  const tested = infilling.map(({ file, results: { header } }) => [
    ...[linkTo(file), machineAndVersions(header.environment), '', '', ''],
  ]);
  const judged = judges.map(({ file, judge, endpoint }) => [
    ...[linkTo(file), `${judge}, ${endpoint ?? 'on the machine of the texts'}`, '', '', ''],
  ]);
  const heading = ['raw', 'machine and versions', 'threads', 'heads (SHA-256)', 'weights'];
  const rows = [...ours, ...beside, ...wholes, ...profiled, ...tested, ...judged];
  return tableOf(heading, rows, 'words');
}

const machineAndVersions = (environment: Environment | undefined): string =>
  environment ? describeEnvironment(environment) : 'not recorded';

const headsCell = ({ heads, headsSha256 }: Pick<Weights, 'heads' | 'headsSha256'>): string =>
  `${heads}${headsSha256 ? ` \`${headsSha256.slice(0, 12)}\`` : ''}`;

/** Heads and weights of the models that a file is of. */
function besideCells(
  measured: readonly { readonly model: string }[],
  weights: Readonly<Record<string, Weights>>,
  shipped: readonly Shipped[],
): string[] {
  const models = [...new Set(measured.map(({ model }) => model))];
  const heads = models.flatMap((model) => (weights[model] ? [headsCell(weights[model])] : []));
  const current = models.map((model) => isCurrent(shipped, model, weights[model]));
  return [heads.join(', '), [...new Set(current.map(weightsName))].sort().join(', ')];
}
