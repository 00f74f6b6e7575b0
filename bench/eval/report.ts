/** From the evidence to the page and its plots. Pure: what is not in the raw files is not in the report. */
import { basename } from 'node:path';
import { describeEnvironment } from '../environment';
import { besideSections } from './beside';
import { calibrationOf, CALIBRATES } from './calibrate';
import { ablationOf, sameQualityPoint, sweepOf, type ModePoint, type RunFigures } from './figures';
import { goalsOf } from './goals';
import { headsSections, shortlistsCompared } from './heads';
import type { JudgeFigures, JudgedLine, Share } from './judge/figures';
import type { Evidence } from './load';
import {
  linkTo,
  NOT_MEASURED,
  percent,
  points,
  range,
  tableOf,
  threadsOf,
  times,
} from './markdown';
import { ablationPlot } from './plots/ablation';
import { qualityPlot } from './plots/quality';
import { stepsPlot } from './plots/steps';
import { winRatePlot } from './plots/win-rate';
import { MEASURE_NAMES, MEASURES } from './scores';
import { SAME_QUALITY_MARGIN } from './statistics';

export interface Report {
  readonly markdown: string;
  /** SVG by file name, in `plots/` beside the report. */
  readonly plots: ReadonlyMap<string, string>;
}

/** @param models of the catalogue, those without any figure included */
export function reportOf(all: Evidence, models: readonly string[]): Report {
  const calibrations = all.runs.filter(({ kind }) => kind === CALIBRATES);
  const evidence = { ...all, runs: all.runs.filter(({ kind }) => kind !== CALIBRATES) };
  const plots = new Map<string, string>();
  const plot = (name: string, content: string | undefined, alternative: string): string[] => {
    if (content === undefined) return [];
    plots.set(name, content);
    return [`![${alternative}](plots/${name})`];
  };
  const { runs } = evidence;
  const sweeps = runs.filter((run) => run.measure && sweepOf(run).length > 0 && !isAblation(run));
  const sections = [
    '# Report',
    'Made from raw results by `npm run eval -- report`; nothing here is written by hand. How it is measured, ' +
      'and how to repeat any part: [eval/README.md](eval/README.md). Intervals are 95 %.',
    '## Goals',
    goalTable(evidence, models),
    '## Speed at the same quality',
    `A mode is as good as plain decoding when the lower end of the interval of the paired difference is at least ` +
      `−${100 * SAME_QUALITY_MARGIN} points, on tests passed where a task has tests, else on first lines equal. ` +
      `The fastest such ε_b is chosen on the tasks that it is reported on.`,
    ...orMissing(
      sweeps.flatMap((run) => [
        `### ${nameOf(run)}`,
        ...plot(`${stemOf(run)}-quality.svg`, qualityPlot(run), 'quality against speed-up'),
        sweepVerdict(run),
        sweepTable(run),
        ...plot(`${stemOf(run)}-steps.svg`, stepsPlot(run), 'tokens of a step over ε_b'),
        rawOf(run),
      ]),
    ),
    '## Exact mode',
    'The text is that of plain decoding; the speed depends on the drafts.',
    exactTable(runs),
    '## Calibration',
    'Defaults of fast mode (ε_b) and of exact mode (rows of a step at most), chosen on places of this repository’s own ' +
      'code, which nothing else here is about; they stand in `models/*/thresholds.json`. ε_b is the fastest that keeps ' +
      'the quality by edit similarity and beats exact mode; at 1 fast mode decodes as exact mode does.',
    ...orMissing(
      calibrations.flatMap((run) => [
        `### ${nameOf(run)}`,
        calibrationVerdict(run),
        sweepTable(run, sameQualityPoint({ ...run, measure: 'similarity' })),
        rawOf(run),
      ]),
    ),
    '## Heads',
    'On held-out rows of training’s corpus ([how](../training/README.md)); T<sub>n</sub> predicts n tokens, the ' +
      'base’s own among them. PPL_n of chained and shared heads is conditional on the tokens between, so kinds are ' +
      'compared by PPL_1:n and by the accepted length, tokens a step of exact mode.',
    ...orMissing(headsSections(evidence.heads)),
    '## Ablation',
    'Fast mode at one ε_b, with one part of the rule switched.',
    ...orMissing(
      runs
        .filter(isAblation)
        .flatMap((run) => [
          `### ${nameOf(run)}`,
          ...plot(`${stemOf(run)}-ablation.svg`, ablationPlot(run), 'what each part brings'),
          ablationTable(run),
          rawOf(run),
        ]),
    ),
    '## Open-ended text',
    ...orMissing(
      evidence.judges.flatMap((judge) => [
        ...judgeSection(judge),
        ...judge.lines.flatMap((line) =>
          plot(
            `${basename(judge.file, '.jsonl')}-${basename(line.texts, '.jsonl')}.svg`,
            winRatePlot(judge.judge, line, judge.modes),
            'win rate against speed-up',
          ),
        ),
      ]),
    ),
    '## Beside llama.cpp',
    'node-llama-cpp on the same prompts, in the same run ([how](peers/README.md)). Of whole completions times are ' +
      'medians, CPU seconds and tokens means; the cache holds nothing of the prompt before.',
    ...orMissing(besideSections(evidence.peers, evidence.completions)),
    '## What was not measured',
    absent(evidence, models),
    '## Machines, versions, seeds',
    machineTable(all),
    'Seeds: tasks in the order of SHA-256("1:" and their id); bootstrap with seed 1, 1,000 samples; ' +
      'code is decoded greedily, sentences with temperature 0.7 and seeds 1 to 10.',
    '## Raw files',
    tableOf(
      ['file', 'SHA-256 begins with'],
      evidence.files.map(({ file, sha256 }) => [linkTo(file), `\`${sha256}\``]),
      'words',
    ),
  ];
  return { markdown: `${sections.join('\n\n')}\n`, plots };
}

const isAblation = (run: RunFigures): boolean => ablationOf(run).length > 0;
const orMissing = (sections: readonly string[]): readonly string[] =>
  sections.length > 0 ? sections : [`${sentence(NOT_MEASURED)}.`];
const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
const rawOf = ({ file }: RunFigures): string => `Raw: ${linkTo(file)}.`;

/** Of plots: the file's name, and the kind where that does not say it. */
function stemOf({ file, kind }: RunFigures): string {
  const stem = basename(file, '.jsonl').replaceAll('.', '-');
  return stem.includes(kind) ? stem : `${stem}-${kind}`;
}

function nameOf({ header, kind, tasks }: RunFigures): string {
  const threads = header.threads === null ? '' : `, ${threadsOf(header.threads)}`;
  return `${header.model}, ${kind}, ${tasks} tasks (heads ${header.heads}, ${header.precision}${threads})`;
}

function goalTable(evidence: Evidence, models: readonly string[]): string {
  const met = (value: boolean | undefined) => (value === undefined ? '' : value ? 'met' : 'missed');
  return tableOf(
    ['goal', 'figure', '', 'behind it', 'raw'],
    goalsOf(evidence, models).map(({ goal, figure, met: is, remark, raw }) => [
      ...[goal, figure, met(is), remark, raw],
    ]),
    'words',
  );
}

function calibrationVerdict(run: RunFigures): string {
  const { epsilon, rows, tasks } = calibrationOf(run);
  return `**ε_b ${epsilon}, ${rows} rows** a step at most, from ${tasks} places.`;
}

/** @param same the point to mark */
function sweepTable(run: RunFigures, same = sameQualityPoint(run)): string {
  const measures = MEASURES.filter((measure) => run.points.some(({ scores }) => scores[measure]));
  const row = (point: ModePoint): string[] => [
    point === same ? `**${point.mode}**` : point.mode,
    speed(point),
    point.figures.tokensPerStep.toFixed(2),
    point.shares.map((share) => (100 * share).toFixed(0)).join(' / '),
    times(point.stepCost),
    ...measures.map((measure) => {
      const score = point.scores[measure];
      if (!score) return '';
      const { own, difference, interval } = score;
      return point.mode === 'ar'
        ? percent(own)
        : `${percent(own)}, ${points(difference)} (${range(interval, points)})`;
    }),
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

function sweepVerdict(run: RunFigures): string {
  const same = sameQualityPoint(run);
  if (!same) return 'No ε_b is shown to keep the quality of plain decoding.';
  const { speedUp, speedUpInterval } = same.figures;
  const interval = range(speedUpInterval, (value) => value.toFixed(2));
  return `**Same-quality speed-up ${times(speedUp)}** (${interval}) at ε_b ${same.epsilon ?? ''}.`;
}

const speed = ({ figures, mode }: ModePoint): string =>
  mode === 'ar'
    ? '1'
    : `${times(figures.speedUp)} (${range(figures.speedUpInterval, (value) => value.toFixed(2))})`;

function exactTable(runs: readonly RunFigures[]): string {
  const rows = runs.flatMap((run) =>
    run.points
      .filter(({ mode }) => mode.startsWith('exact'))
      .map((point) => [
        `${run.header.model}, ${run.kind}`,
        point.mode,
        speed(point),
        point.figures.tokensPerStep.toFixed(2),
        `${point.figures.same} of ${point.figures.tasks}`,
        held(point, 'head'),
        held(point, 'lookup'),
        linkTo(run.file),
      ]),
  );
  return tableOf(
    ['', 'drafts', 'speed-up', 'tokens a step', 'same text', 'heads’ held', 'lookup’s held', 'raw'],
    rows,
  );
}

function held({ figures }: ModePoint, source: 'head' | 'lookup'): string {
  const { accepted, tokens } = figures.drafts[source];
  return tokens === 0 ? '' : `${accepted} of ${tokens}`;
}

function ablationTable(run: RunFigures): string {
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
        score ? `${points(score.difference)} (${range(score.interval, points)})` : '',
      ];
    }),
  );
}

function judgeSection({
  judge,
  endpoint,
  judgements,
  consistency,
  modes,
  lines,
  file,
}: JudgeFigures) {
  const share = ({ count, of }: Share) => `${count} of ${of}`;
  const where = endpoint === null ? 'on this machine' : `at ${endpoint}`;
  const line = ({ texts, sameQuality }: JudgedLine) =>
    `${texts}: ${typeof sameQuality === 'number' ? `same-quality speed-up ${times(sameQuality)}` : sameQuality}.`;
  return [
    `### Judged by ${judge} ${where}`,
    `${judgements} judgements. Identical texts tie: ${share(consistency.identical)}. Same verdict in both orders: ` +
      `${share(consistency.orders)}. Shuffled words lose: ${share(consistency.damaged)}. Answered: ${share(consistency.answered)}.`,
    consistency.failure === undefined
      ? 'The judge is consistent enough for a verdict.'
      : `**No verdict**: ${consistency.failure}.`,
    tableOf(
      ['texts', 'mode', 'speed-up', 'wins', 'losses', 'ties', 'wins / losses', 'marks from plain'],
      modes.map(({ texts, mode, speedUp, wins, losses, ties, winRate, marks }) => [
        ...[texts, mode, speedUp === undefined ? NOT_MEASURED : times(speedUp)],
        ...[wins, losses, ties].map(String),
        winRate?.toFixed(2) ?? '',
        marks?.toFixed(2) ?? NOT_MEASURED,
      ]),
    ),
    lines.map(line).join(' '),
    `Raw: ${linkTo(file)}.`,
  ];
}

/** What the evidence is meant to hold and does not. */
function absent(evidence: Evidence, models: readonly string[]): string {
  const { runs, peers, completions, judges, heads } = evidence;
  const lines: string[] = [];
  for (const model of models) {
    const own = runs.filter(({ header }) => header.model === model);
    const lacks = (name: string, there: boolean) => {
      if (!there) lines.push(`- ${model}: ${name}.`);
    };
    for (const kind of ['line', 'span', 'held-out']) {
      lacks(
        `quality against speed-up, ${kind}`,
        own.some(
          (run) => run.kind === kind && run.measure !== undefined && sweepOf(run).length > 1,
        ),
      );
    }
    lacks('ablation', own.some(isAblation));
    lacks(
      'single steps beside llama.cpp',
      peers.some((each) => each.models.some((peer) => peer.model === model)),
    );
    for (const threads of [2, 1]) {
      lacks(
        `whole completions beside llama.cpp, ${threadsOf(threads)}`,
        completions.some(
          ({ header, groups }) =>
            header.threads === threads && groups.some((group) => group.model === model),
        ),
      );
    }
  }
  if (judges.length === 0) lines.push('- Open-ended text: no judge’s verdicts.');
  if (!shortlistsCompared(heads)) {
    lines.push(
      '- Drafts without a shortlist: the shipped graphs have one, and training has not measured the same heads ' +
        'with another (`measure --shortlist N --out measures-N.json`).',
    );
  }
  lines.push(
    '- Energy a completion: these machines have no counter that can be read; CPU seconds stand for it.',
  );
  return lines.join('\n');
}

function machineTable({ runs, peers, completions }: Evidence): string {
  const files = new Map(runs.map(({ file, header }) => [file, header]));
  const ours = [...files].map(([file, header]) => [
    linkTo(file),
    header.environment ? describeEnvironment(header.environment) : 'not recorded',
    header.threads === null ? 'the engine’s choice' : String(header.threads),
    `${header.heads}${header.headsSha256 ? ` \`${header.headsSha256.slice(0, 12)}\`` : ''}`,
  ]);
  const beside = peers.map(({ file, processor, threads, environment }) => [
    linkTo(file),
    environment ? describeEnvironment(environment) : processor,
    ...[String(threads), ''],
  ]);
  const wholes = completions.map(({ file, header: { environment, peer, threads } }) => [
    linkTo(file),
    `${describeEnvironment(environment)}, node-llama-cpp ${peer}`,
    ...[String(threads), ''],
  ]);
  const heading = ['raw', 'machine and versions', 'threads', 'heads (SHA-256)'];
  return tableOf(heading, [...ours, ...beside, ...wholes], 'words');
}
