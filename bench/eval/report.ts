/** From the evidence to the page and its plots. Pure: what is not in the raw files is not in the report. */
import { threadsOf } from '../environment';
import { basename } from 'node:path';
import { GROUPS } from '../peers/completion-tasks';
import { besideSections, goalOf } from './beside';
import { calibrationOf, CALIBRATES } from './calibrate';
import { isAblation, sweepOf, type RunFigures } from './figures';
import { goalsOf } from './goals';
import { headsSections, shortlistsCompared } from './heads';
import type { JudgeFigures, JudgedLine, Share } from './judge/figures';
import type { Evidence } from './load';
import { linkTo, NOT_MEASURED, tableOf, times } from './markdown';
import { ablationPlot } from './plots/ablation';
import { qualityPlot } from './plots/quality';
import { stepsPlot } from './plots/steps';
import { winRatePlot } from './plots/win-rate';
import { profileSection, type LoadedProfile } from './profile/section';
import { isCurrent, withHeads, type Shipped } from './shipped';
import { FEWEST, SAME_QUALITY_MARGIN } from './statistics';
import {
  ablationTable,
  calibrationVerdict,
  exactTable,
  isShipped,
  machineTable,
  nameOf,
  rawOf,
  sweepTable,
  sweepVerdict,
} from './tables';

export interface Report {
  readonly markdown: string;
  /** SVG by file name, in `plots/` beside the report. */
  readonly plots: ReadonlyMap<string, string>;
}

/** @param shipped models of the catalogue, those without any figure included */
export function reportOf(all: Evidence, shipped: readonly Shipped[]): Report {
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
      'and how to repeat any part: [eval/README.md](eval/README.md). Intervals are 95 %, over problems or files: lines ' +
      'and places of one are not independent. Tokens a step, and what a step costs, are of steps behind the first one, ' +
      'which the prefill gives. Six held-out files are few: intervals over them say how these differ, hardly more.',
    '## Goals',
    'Met by runs of the weights that are shipped alone. A file that does not tell which heads and trunk it is of ' +
      'counts as one of earlier weights. _Not shown_: the interval has the goal within it.',
    goalTable(evidence, shipped),
    '## Speed at the same quality',
    `A mode is as good as plain decoding when the lower end of the interval of the paired difference is at least ` +
      `−${100 * SAME_QUALITY_MARGIN} points and there are at least ${FEWEST} problems or files: on tests passed where a ` +
      `task has tests, else on edit similarity, or on first lines equal where one line was asked for. ` +
      `The fastest such ε_b is chosen on the tasks that it is reported on. Modes that were run on some of the tasks ` +
      `are compared with plain decoding of those.`,
    ...orMissing(
      sweeps.flatMap((run) => [
        `### ${nameOf(run, shipped)}`,
        ...plot(`${stemOf(run)}-quality.svg`, qualityPlot(run), 'quality against speed-up'),
        sweepVerdict(run),
        sweepTable(run),
        ...plot(`${stemOf(run)}-steps.svg`, stepsPlot(run), 'tokens of a step over ε_b'),
        rawOf(run),
      ]),
    ),
    '## Exact mode',
    'The text is that of plain decoding; the speed depends on the drafts.',
    exactTable(runs, shipped),
    '## Calibration',
    'Defaults of fast mode (ε_b) and of exact mode (rows of a step at most), chosen on places of this repository’s own ' +
      'code, which nothing else here is about; they stand in `models/*/thresholds.json`. ε_b is the fastest that keeps ' +
      'the quality by edit similarity and is shown to beat exact mode, else 1, at which fast mode decodes as exact ' +
      'mode does; rows are the most that are not shown to be slower than the fastest. Bold: exact mode with those rows.',
    ...orMissing(
      calibrations.flatMap((run) => {
        const calibration = calibrationOf(run);
        return [
          `### ${nameOf(run, shipped)}`,
          calibrationVerdict(calibration),
          sweepTable(run, `exact,rows=${calibration.rows}`),
          rawOf(run),
        ];
      }),
    ),
    ...uncalibrated(shipped),
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
          `### ${nameOf(run, shipped)}`,
          ...plot(`${stemOf(run)}-ablation.svg`, ablationPlot(run), 'what each part brings'),
          ablationTable(run),
          rawOf(run),
        ]),
    ),
    '## Open-ended text',
    ...orMissing(
      evidence.judges.flatMap((judge) => [
        ...judgeSection(judge, earlierTexts(runs, shipped)),
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
    'node-llama-cpp on the same prompts, in the same run ([how](peers/README.md)). Of whole completions times to the ' +
      'end and to the first token are medians, CPU seconds and tokens means; decoding is the time behind the first ' +
      'tokens of all texts over the tokens behind them, its intervals over texts. The cache holds nothing of the prompt ' +
      'before. A busy machine spoils such figures more than others: the load at the beginning of each run is told below.',
    ...orMissing(besideSections(evidence.peers, evidence.completions, shipped)),
    '## Where a step’s time goes',
    'ONNX Runtime’s own profile of single steps, by kind of operator, and of what the heads take to propose; means of ' +
      'the middle half of sixteen. The profiler takes time at every call, so what is called often is ' +
      'overestimated, and a step of one row takes up to twice as long: it tells which operators matter, not their ms.',
    ...orMissing(
      evidence.profiles.flatMap((profile) => {
        const { id } = profile.header.model;
        return [`### ${id}`, profileSection(profile, isCurrentProfile(profile, shipped))];
      }),
    ),
    '## What was not measured',
    'Of the weights that are shipped; runs of earlier ones do not count here.',
    absent(evidence, shipped),
    '## Machines, versions, seeds',
    machineTable(all, shipped),
    'Seeds: tasks in the order of SHA-256("1:" and their id); bootstrap with seed 1, 1,000 samples; ' +
      'code is decoded greedily, sentences with temperature 0.7 and seeds 1 to 10. A commit with + had changes that were ' +
      'not committed.',
    '## Raw files',
    tableOf(
      ['file', 'SHA-256 begins with'],
      evidence.files.map(({ file, sha256 }) => [linkTo(file), `\`${sha256}\``]),
      'words',
    ),
  ];
  return { markdown: `${sections.join('\n\n')}\n`, plots };
}

const orMissing = (sections: readonly string[]): readonly string[] =>
  sections.length > 0 ? sections : [`${sentence(NOT_MEASURED)}.`];
const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** Of plots: the file's name, and the kind where that does not say it. */
function stemOf({ file, kind }: RunFigures): string {
  const stem = basename(file, '.jsonl').replaceAll('.', '-');
  return stem.includes(kind) ? stem : `${stem}-${kind}`;
}

/** How models decode that have no defaults yet. */
function uncalibrated(shipped: readonly Shipped[]): string[] {
  const lacking = shipped.filter(({ calibrated }) => !calibrated).map(({ id }) => id);
  if (lacking.length === 0) return [];
  const which =
    lacking.length === shipped.length
      ? 'No model has such a file yet'
      : `There is no such file for ${lacking.join(', ')}`;
  return [
    `${which}: where there is none, fast mode takes ε_b 1 unless a request names another, and so decodes as exact ` +
      'mode does.',
  ];
}

function isCurrentProfile({ header: { model } }: LoadedProfile, shipped: readonly Shipped[]) {
  return isCurrent(shipped, model.id, withHeads(model));
}

function goalTable(evidence: Evidence, shipped: readonly Shipped[]): string {
  return tableOf(
    ['goal', 'figure', '', 'behind it', 'raw'],
    goalsOf(evidence, shipped).map(({ goal, figure, verdict = '', remark, raw }) => [
      ...[goal, figure, verdict, remark, raw],
    ]),
    'words',
  );
}

/** Names of the files with texts of earlier weights. */
const earlierTexts = (runs: readonly RunFigures[], shipped: readonly Shipped[]): Set<string> =>
  new Set(runs.filter((run) => !isShipped(run, shipped)).map(({ file }) => basename(file)));

function judgeSection(
  { judge, endpoint, judgements, consistency, modes, lines, file }: JudgeFigures,
  earlier: ReadonlySet<string>,
) {
  const share = ({ count, of }: Share) => `${count} of ${of}`;
  const where = endpoint === null ? 'on this machine' : `at ${endpoint}`;
  const line = ({ texts, sameQuality }: JudgedLine) =>
    `${texts}${earlier.has(texts) ? ' (of earlier weights)' : ''}: ${typeof sameQuality === 'number' ? `same-quality speed-up ${times(sameQuality)}` : sameQuality}.`;
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

/** What the evidence is meant to hold and does not: runs of earlier weights are no evidence. */
function absent(evidence: Evidence, shipped: readonly Shipped[]): string {
  const { judges, heads, refused } = evidence;
  const runs = evidence.runs.filter((run) => isShipped(run, shipped));
  const wholes = evidence.completions.flatMap(({ header: { threads }, groups, weights }) =>
    groups.flatMap((group) =>
      isCurrent(shipped, group.model, weights[group.model]) ? [{ threads, ...group }] : [],
    ),
  );
  const lines: string[] = refused.map((why) => `- Not scored. ${why}`);
  for (const { id: model, heads: ownHeads } of shipped) {
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
    if (ownHeads !== 'none') {
      lacks('ablation', own.some(isAblation));
      const apart = own.some(({ points }) => points.some(({ mode }) => mode === 'exact-lookup'));
      lacks('drafts of heads and of lookup apart', apart);
    }
    lacks(
      'where a step’s time goes',
      evidence.profiles.some(
        (profile) => profile.header.model.id === model && isCurrentProfile(profile, shipped),
      ),
    );
    lacks(
      'single steps beside llama.cpp',
      evidence.peers.some(
        ({ models, weights }) =>
          isCurrent(shipped, model, weights[model]) && models.some((each) => each.model === model),
      ),
    );
    for (const threads of [2, 1]) {
      for (const which of ['same', 'other'] as const) {
        const found = wholes.filter(
          (each) => each.model === model && each.threads === threads && goalOf(each.peer) === which,
        );
        const missing = GROUPS.flatMap(({ context, count }) => {
          const there = found.find((each) => each.context === context);
          const tasks = there?.ways[0]?.tasks ?? 0;
          return tasks < count ? [`${tasks} of ${count} prompts about ${context} tokens long`] : [];
        });
        const file = which === 'same' ? 'the same file' : 'another quantisation';
        lacks(
          `whole completions beside llama.cpp on ${file}, ${threadsOf(threads)}` +
            (found.length === 0 ? '' : ` (there are ${missing.join(', ')})`),
          missing.length === 0,
        );
      }
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
