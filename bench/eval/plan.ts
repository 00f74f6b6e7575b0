/**
 * What the evidence consists of: parts, and the runs of each. Pure; a run is one results file, so that
 * each can be stopped, gone on with and traced.
 */
import type { CatalogEntry } from '../../src/models/catalog';
import { headsNames } from '../../src/models/catalog';
import type { ModeSpec } from '../steps/modes';
import type { Kind } from '../steps/tasks';

export const PARTS = [
  'quality',
  'ablation',
  'drafts',
  'heads',
  'calibration',
  'open-ended',
  'judge',
  'peers',
  'profile',
] as const;
export type Part = (typeof PARTS)[number];

/** Tasks in several modes, as bench/steps runs them. */
export interface StepsJob {
  readonly type: 'steps';
  readonly part: Part;
  /** Of the results file, without its ending. */
  readonly name: string;
  readonly model: string;
  readonly heads: string | undefined;
  readonly kind: Kind;
  readonly modes: readonly ModeSpec[];
  /** Tasks, the first ones of the shuffle. */
  readonly count: number;
  /** Modes that the first `count` of those suffice for, such as thresholds far from any goal. */
  readonly sampled?: { readonly modes: readonly ModeSpec[]; readonly count: number };
  readonly maxTokens: number;
}

/** A judge's verdicts on the texts of other runs. */
export interface JudgeJob {
  readonly type: 'judge';
  readonly part: 'judge';
  readonly name: string;
  /** Names of the runs whose texts are judged. */
  readonly texts: readonly string[];
  readonly judgements: number;
}

/** bench/peers: single steps, or whole completions. */
export interface PeersJob {
  readonly type: 'peers';
  readonly part: 'peers';
  readonly name: string;
  readonly model: string;
  readonly completions: boolean;
  /** The run's own when absent. */
  readonly threads?: number;
  readonly quick: boolean;
}

/** Where a step's time goes. */
export interface ProfileJob {
  readonly type: 'profile';
  readonly part: 'profile';
  readonly name: string;
  readonly model: string;
  readonly quick: boolean;
}

export type Job = StepsJob | JudgeJob | PeersJob | ProfileJob;

export type PlannedModel = Pick<CatalogEntry, 'id' | 'heads'>;

export interface PlanOptions {
  readonly models: readonly PlannedModel[];
  /** The model with the most points and all tasks. */
  readonly main: string;
  /** A sample that takes minutes. */
  readonly quick: boolean;
}

const ALL = Infinity;
const THRESHOLDS = [1, 0.99, 0.97, 0.9, 0.8, 0.6, 0.5, 0.4, 0.2, 0];
const FEWER_THRESHOLDS = [1, 0.97, 0.9, 0.8, 0.5, 0];
/** Below it a sample shows how much quality is lost; at 1 none is, by definition. */
const SAMPLED_BELOW = 0.9;
const SAMPLE = 200;
const SAMPLE_OF_LONG = 50;
const SAMPLE_WITHOUT_HEADS = 40;
/** Places of the held-out files, a fair sample of all. */
const HELD_OUT = 100;
/** Own places, one of a file: as many as can show something, and a few more. */
const OWN = 160;
/** What may become a default; 1 needs no showing. */
const CALIBRATED_THRESHOLDS = [0.97, 0.9, 0.8];
/** At which kinds of heads are compared. */
const HEADS_THRESHOLDS = [0.9, 0.8, 0.5];
const OPEN_THRESHOLDS = [0.8, 0.6, 0.4, 0.2, 0];
/** Lines and held-out places that parts of the method, sources of drafts and kinds of heads are compared on. */
const PARTS_LINES = 100;
const PARTS_PLACES = 40;
const QUICK_THRESHOLDS = [0.8, 0.4];
/** Rows of a step of exact mode at most. */
const BUDGETS = [2, 3, 4, 8];
const QUICK_BUDGETS = [8];
/** The paper's ablation is at this ε_b. */
const FIXED = 0.5;
/** Parts of fast mode that are switched, one at a time. `mask` and 0.5 of it are of independent heads. */
const SWITCHED = ['otsu=off', 'blur=off', 'penalty=off', 'tokens=2'];
const SWITCHED_INDEPENDENT = ['mask=off', 'alpha=0.5', ...SWITCHED, 'otsu=off,mask=off'];
const SWITCHED_CHAINED = ['alpha=1', ...SWITCHED, 'chains=3'];

/** Judgements of one judge, controls included. */
const MOST_JUDGEMENTS = 400;
const QUICK_JUDGEMENTS = 16;

export function planOf({ models: all, main, quick }: PlanOptions): Job[] {
  // The one that most depends on comes first.
  const models = [...all].sort((a, b) => Number(b.id === main) - Number(a.id === main));
  const jobs = models.flatMap((model) => jobsOf(model, model.id === main, quick));
  for (const { id } of models) {
    const texts = jobs.filter(
      ({ part, name }) => part === 'open-ended' && name.startsWith(`${id}.`),
    );
    if (texts.length === 0) continue;
    const judgements = quick ? QUICK_JUDGEMENTS : MOST_JUDGEMENTS;
    const names = texts.map(({ name }) => name);
    jobs.push({ type: 'judge', part: 'judge', name: `${id}.judge`, texts: names, judgements });
  }
  const profiles = models.map(
    ({ id: model }) =>
      ({ type: 'profile', part: 'profile', name: `${model}.profile`, model, quick }) as const,
  );
  return [...jobs, ...models.flatMap((model) => peersJobs(model, quick)), ...profiles];
}

function peersJobs({ id: model, heads }: PlannedModel, quick: boolean): PeersJob[] {
  const job = { type: 'peers', part: 'peers', model, quick } as const;
  const steps: PeersJob = { ...job, name: `${model}.peers`, completions: false };
  const whole: PeersJob = { ...job, name: `${model}.peers.completions`, completions: true };
  // Without heads it is no model for a machine of one thread.
  if (quick || heads === undefined) return [steps, whole];
  return [steps, whole, { ...whole, name: `${whole.name}.1-thread`, threads: 1 }];
}

function jobsOf(model: PlannedModel, main: boolean, quick: boolean): Job[] {
  const [own, ...others] = headsNames(model);
  // Without heads there is no method to measure; plain and exact mode stay, on a sample.
  const fast = (thresholds: readonly number[]) =>
    own === undefined ? [] : (quick ? QUICK_THRESHOLDS : thresholds).map((e) => `fast:${e}`);
  const sample = (count: number, few: number) =>
    quick ? few : own === undefined ? Math.min(count, SAMPLE_WITHOUT_HEADS) : count;
  const job = (
    part: Part,
    kind: Kind,
    modes: readonly ModeSpec[],
    count: number,
    { heads, maxTokens = 64 }: { heads?: string; maxTokens?: number } = {},
  ): StepsJob => ({
    ...{ type: 'steps', part, model: model.id, heads, kind, modes, count, maxTokens },
    name: [model.id, part, kind, heads].filter(Boolean).join('.'),
  });

  const thresholds = main ? THRESHOLDS : FEWER_THRESHOLDS;
  const sweep = ['ar', 'exact', ...fast(thresholds)];
  const low = fast(thresholds.filter((epsilon) => epsilon < SAMPLED_BELOW || epsilon === 1));
  const sampled = (count: number) =>
    quick || low.length === 0 ? {} : { sampled: { modes: low, count } };
  const jobs = [
    { ...job('quality', 'line', sweep, sample(ALL, 12)), ...sampled(SAMPLE) },
    { ...job('quality', 'held-out', sweep, sample(HELD_OUT, 4)), ...sampled(SAMPLE_OF_LONG) },
    { ...job('quality', 'span', sweep, sample(ALL, 4)), ...sampled(SAMPLE_OF_LONG) },
    job('drafts', 'line', ['ar', 'exact', 'exact-heads', 'exact-lookup'], sample(PARTS_LINES, 4)),
    job(
      'drafts',
      'held-out',
      ['ar', 'exact', 'exact-heads', 'exact-lookup'],
      sample(PARTS_PLACES, 2),
    ),
  ];
  if (own === undefined) {
    return jobs
      .filter(({ part }) => part !== 'drafts')
      .map((each) => ({ ...each, modes: each.modes.filter(needsNoHeads) }));
  }
  const budgets = (quick ? QUICK_BUDGETS : BUDGETS).map((rows) => `exact,rows=${rows}`);
  const calibrating = ['ar', ...budgets, ...fast(CALIBRATED_THRESHOLDS)];
  // The paper's heads are independent: where a model has such, its ablation is of those.
  const ablated = [own, ...others].find((kind) => kind === 'independent') ?? own;
  const switched = ablated === 'independent' ? SWITCHED_INDEPENDENT : SWITCHED_CHAINED;
  const modes = ['ar', `fast:${FIXED}`, ...switched.map((each) => `fast:${FIXED},${each}`)];
  const heads = ablated === own ? {} : { heads: ablated };
  jobs.push(
    job('ablation', 'line', modes, sample(PARTS_LINES, 4), heads),
    job('ablation', 'held-out', modes, sample(PARTS_PLACES, 1), heads),
    job('calibration', 'own', calibrating, sample(OWN, 2)),
  );
  const open = ['ar', ...fast(OPEN_THRESHOLDS)];
  const length = (tokens: number) => ({ maxTokens: quick ? 64 : tokens });
  jobs.push(
    job('open-ended', 'sentence', open, sample(ALL, 3), length(100)),
    job('open-ended', 'prose', open, sample(ALL, 1), length(200)),
  );
  const kinds = ['ar', 'exact', ...fast(HEADS_THRESHOLDS)];
  for (const kind of others.length > 0 ? [own, ...others] : []) {
    jobs.push(
      job('heads', 'line', kinds, sample(PARTS_LINES, 2), { heads: kind }),
      job('heads', 'held-out', kinds, sample(PARTS_PLACES, 1), { heads: kind }),
    );
  }
  return jobs;
}

const needsNoHeads = (mode: ModeSpec) => ['ar', 'exact'].includes(mode);
