/** From the evidence to the page and its plots. Pure: what is not in the raw files is not in the report. */
import { basename } from 'node:path';
import { describeEnvironment } from '../environment';
import { ablationOf, sameQualityPoint, sweepOf, type ModePoint, type RunFigures } from './figures';
import { goalsOf } from './goals';
import type { JudgeFigures, JudgedLine, Share } from './judge/figures';
import type { Evidence } from './load';
import { linkTo, NOT_MEASURED, percent, points, range, tableOf, times } from './markdown';
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
export function reportOf(evidence: Evidence, models: readonly string[]): Report {
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
        sweepTable(run),
        ...plot(`${stemOf(run)}-steps.svg`, stepsPlot(run), 'tokens of a step over ε_b'),
        rawOf(run),
      ]),
    ),
    '## Exact mode',
    'The text is that of plain decoding; the speed depends on the drafts.',
    exactTable(runs),
    '## Perplexity of the heads',
    'PPL<sub>d</sub>: of as many tokens a place as the generation rule chooses, on held-out rows of training’s ' +
      'corpus (training/README.md).',
    perplexityTable(evidence),
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
    'One step of one row behind a prefill, medians; below 1 our engine is faster or smaller.',
    peerTable(evidence),
    '## What was not measured',
    absent(evidence, models),
    '## Machines, versions, seeds',
    machineTable(evidence),
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
  const threads = header.threads === null ? '' : `, ${header.threads} threads`;
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

function sweepTable(run: RunFigures): string {
  const measures = MEASURES.filter((measure) => run.points.some(({ scores }) => scores[measure]));
  const same = sameQualityPoint(run);
  const row = (point: ModePoint): string[] => [
    point === same ? `**${point.mode}**` : point.mode,
    speed(point),
    point.figures.tokensPerStep.toFixed(2),
    times(point.stepCost),
    ...measures.map((measure) => {
      const score = point.scores[measure];
      if (!score) return '';
      const { own, difference, interval } = score;
      return point.mode === 'ar'
        ? percent(own)
        : `${percent(own)}, ${points(difference)} (${range(interval, points)})`;
    }),
    `${point.figures.same} of ${run.tasks}`,
  ];
  const names = measures.map((measure) => `${MEASURE_NAMES[measure]}, points from plain`);
  const found = same
    ? `**Same-quality speed-up ${times(same.figures.speedUp)}** (${range(same.figures.speedUpInterval, (value) => value.toFixed(2))}) at ε_b ${same.epsilon ?? ''}.`
    : 'No ε_b is shown to keep the quality of plain decoding.';
  return [
    found,
    tableOf(
      ['mode', 'speed-up', 'tokens a step', 'cost of a step', ...names, 'same text'],
      run.points.map(row),
    ),
  ].join('\n\n');
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
        `${point.figures.same} of ${run.tasks}`,
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

function perplexityTable({ heads }: Evidence): string {
  const epsilons = [
    ...new Set(heads.flatMap(({ dynamic }) => dynamic.map(({ epsilon }) => epsilon))),
  ];
  const shown = epsilons.sort((a, b) => a - b);
  return tableOf(
    ['heads', 'PPL_1', 'PPL_2', 'PPL_3', ...shown.map((epsilon) => `ε_b ${epsilon}`), 'raw'],
    heads.map(({ name, ppl, dynamic, file }) => [
      name,
      ...['1', '2', '3'].map((n) => ppl[n]?.toFixed(1) ?? NOT_MEASURED),
      ...shown.map(
        (epsilon) => dynamic.find((each) => each.epsilon === epsilon)?.ppl.toFixed(1) ?? '',
      ),
      linkTo(file),
    ]),
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

function peerTable({ peers }: Evidence): string {
  const rows = peers.flatMap(({ file, threads, models }) =>
    models.flatMap(({ model, peer, lines }) =>
      lines.flatMap(({ what, unit, ours, theirs, ratio }) =>
        theirs
          ? [
              [
                ...[`${model}, ${what}, ${unit}`, peer === 'same' ? 'same file' : peer],
                ...[number(ours.median), number(theirs.median), ratio.toFixed(2)],
                ...[String(threads), linkTo(file)],
              ],
            ]
          : [],
      ),
    ),
  );
  return tableOf(['', 'llama.cpp with', 'DynaMo', 'llama.cpp', 'ratio', 'threads', 'raw'], rows);
}

const number = (value: number): string => value.toFixed(value < 100 ? 2 : 0);

/** What the evidence is meant to hold and does not. */
function absent({ runs, peers, judges }: Evidence, models: readonly string[]): string {
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
      'beside llama.cpp',
      peers.some((each) => each.models.some((peer) => peer.model === model)),
    );
  }
  if (judges.length === 0) lines.push('- Open-ended text: no judge’s verdicts.');
  lines.push(
    '- Energy a completion: these machines have no counter that can be read.',
    '- Beside llama.cpp: time of a whole completion, CPU seconds; bench/peers measures steps and prefills.',
    '- Drafts without a shortlist: the graphs have none.',
    '- llama.cpp’s own speculation: node-llama-cpp’s is not run by bench/peers.',
  );
  return lines.join('\n');
}

function machineTable({ runs, peers }: Evidence): string {
  const files = new Map(runs.map(({ file, header }) => [file, header]));
  const ours = [...files].map(([file, header]) => [
    linkTo(file),
    header.environment ? describeEnvironment(header.environment) : 'not recorded',
    header.threads === null ? 'the engine’s choice' : String(header.threads),
    `${header.heads}${header.headsSha256 ? ` \`${header.headsSha256.slice(0, 12)}\`` : ''}`,
  ]);
  const beside = peers.map(({ file, processor, threads }) => [
    ...[linkTo(file), processor, String(threads), ''],
  ]);
  const heading = ['raw', 'machine and versions', 'threads', 'heads (SHA-256)'];
  return tableOf(heading, [...ours, ...beside], 'words');
}
