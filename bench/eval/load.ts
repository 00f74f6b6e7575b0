/** Reads what the report is made of: raw results of the benches, told apart by their heads. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import {
  parseResults as parseInfilling,
  type Results as InfillingResults,
} from '../infilling/results';
import {
  parseResults as parseCompletions,
  type CompletionHeader,
} from '../peers/completion-results';
import { completionSummaries, type CompletionSummary } from '../peers/completion-summary';
import { parseResults as parsePeers, type Header as PeersHeader } from '../peers/results';
import { summaries, type Summary } from '../peers/summary';
import { checkPlaces, expectedOf, PlacesChanged, type Expected } from '../steps/places';
import { parseResults as parseSteps } from '../steps/results';
import { KINDS, tasksOf } from '../steps/tasks';
import { figuresOfRun, type RunFigures } from './figures';
import { judgeFigures, type JudgeFigures } from './judge/figures';
import { parseResults as parseJudge } from './judge/results';
import { parseResults as parseProfile } from './profile/results';
import type { LoadedProfile } from './profile/section';
import { loadedWeights, type Weights } from './shipped';

/** Folders of raw results that the report takes. */
export const RAW_FOLDERS = [
  'bench/eval/results',
  'bench/steps/results',
  'bench/peers/results',
  'bench/infilling/results',
];

export interface PeerFigures extends Pick<PeersHeader, 'threads' | 'processor' | 'environment'> {
  readonly file: string;
  readonly models: readonly Summary[];
  /** What was loaded, by model; older files do not tell. */
  readonly weights: Readonly<Record<string, Weights>>;
}

/** Whole completions beside llama.cpp. */
export interface PeerCompletions {
  readonly file: string;
  readonly header: CompletionHeader;
  readonly groups: readonly CompletionSummary[];
  readonly weights: Readonly<Record<string, Weights>>;
}

/** Tests of lines that something completed. */
export interface LoadedInfilling {
  readonly file: string;
  readonly results: InfillingResults;
}

/** Measures of training/, of heads on held-out text. */
export interface HeadsMeasures {
  readonly file: string;
  /** Of the training run. */
  readonly name: string;
  readonly base: string;
  readonly kind: string;
  readonly layers: number;
  /** Tokens that base and heads predict together; older files lack this and the shortlist. */
  readonly tokens?: number | undefined;
  /** Tokens that the heads may propose, the most frequent ones. */
  readonly shortlist?: number | undefined;
  readonly positions: number;
  readonly ppl: Readonly<Record<string, number>>;
  readonly dynamic: readonly {
    readonly epsilon: number;
    readonly ppl: number;
    readonly tokens: number;
  }[];
  /** With the base's own choice, by head. */
  readonly agreement: Readonly<Record<string, number>>;
  /** Tokens a step of exact mode. */
  readonly accepted?: number | undefined;
}

export interface Evidence {
  readonly runs: readonly RunFigures[];
  readonly peers: readonly PeerFigures[];
  readonly completions: readonly PeerCompletions[];
  readonly judges: readonly JudgeFigures[];
  readonly infilling: readonly LoadedInfilling[];
  readonly heads: readonly HeadsMeasures[];
  readonly profiles: readonly LoadedProfile[];
  /** Runs that cannot be scored, and why. */
  readonly refused: readonly string[];
  /** Every file that was read, with the beginning of its SHA-256. */
  readonly files: readonly { readonly file: string; readonly sha256: string }[];
}

const shares = z.record(z.string(), z.number());
const measuresSchema = z.object({
  tokens: z.number().optional(),
  shortlist: z.number().optional(),
  positions: z.number(),
  ppl: shares,
  ppl_d: z.array(z.object({ epsilon: z.number(), ppl: z.number(), tokens: z.number() })),
  agreement: shares,
  accepted: z.number().optional(),
});
const trainingSchema = z.object({
  base_id: z.string(),
  heads: z.object({ kind: z.string(), layers: z.number().default(1) }),
});

/**
 * @param root of the checkout, from which folders and files are named
 * @throws when a file is no results file of a bench
 */
export async function loadEvidence(root: string, folders: readonly string[]): Promise<Evidence> {
  const expected = await allExpected(root);
  const runs: RunFigures[] = [];
  const peers: PeerFigures[] = [];
  const completions: PeerCompletions[] = [];
  const infilling: LoadedInfilling[] = [];
  const profiles: LoadedProfile[] = [];
  const judged: { file: string; text: string }[] = [];
  const refused: string[] = [];
  const files: { file: string; sha256: string }[] = [];
  const take = (file: string, text: string) =>
    files.push({ file, sha256: createHash('sha256').update(text).digest('hex').slice(0, 16) });
  for (const path of await listed(root, folders)) {
    const file = relative(root, path);
    const text = await readFile(path, 'utf8');
    take(file, text);
    const lines = linesOf(text);
    const kind = kindOf(lines[0]);
    if (kind === 'steps-run') {
      try {
        runs.push(...runsOf(text, file, expected));
      } catch (error) {
        if (!(error instanceof PlacesChanged)) throw error;
        refused.push(error.message);
      }
    } else if (kind === 'peers-run') {
      const { header, rows } = parsePeers(text, file);
      const models = summaries([...rows.values()]);
      peers.push({ file, ...header, models, weights: loadedWeights(lines) });
    } else if (kind === 'peers-completions-run') {
      const { header, rows } = parseCompletions(text, file);
      const groups = completionSummaries([...rows.values()]);
      completions.push({ file, header, groups, weights: loadedWeights(lines) });
    } else if (kind === 'infilling-run') {
      infilling.push({ file, results: parseInfilling(text, file) });
    } else if (kind === 'profile-run') {
      const { header, rows } = parseProfile(text, file);
      profiles.push({ file, header, rows: [...rows.values()] });
    } else if (kind === 'judge-run') {
      judged.push({ file, text });
    } else {
      throw new Error(`${file} is not a results file of a bench that the report knows.`);
    }
  }
  const heads: HeadsMeasures[] = [];
  for (const path of await measuredHeads(join(root, 'training/results'))) {
    const text = await readFile(path, 'utf8');
    const file = relative(root, path);
    take(file, text);
    heads.push(await headsMeasures(path, file, text));
  }
  const judges = judged.map(({ file, text }) => judgeFigures(file, parseJudge(text, file), runs));
  return { runs, peers, completions, judges, infilling, heads, profiles, refused, files };
}

/** @throws {PlacesChanged} when its texts can no longer be compared with what stands there */
function runsOf(text: string, file: string, expected: Expected): RunFigures[] {
  const { header, rows } = parseSteps(text, file);
  const loaded = { file, header, rows: [...rows.values()] };
  checkPlaces(file, loaded.rows, expected);
  return figuresOfRun(loaded, expected);
}

/** Of every training run that was measured, with all its heads or its first ones alone. */
async function measuredHeads(results: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await names(results)) {
    const measures = (await names(join(results, name))).filter((each) =>
      /^measures.*\.json$/.test(each),
    );
    found.push(...measures.map((each) => join(results, name, each)));
  }
  return found;
}

/** @throws when the measures, or the run's configuration beside them, are not as training writes them */
async function headsMeasures(path: string, file: string, text: string): Promise<HeadsMeasures> {
  const { ppl_d: dynamic, ...measures } = measuresSchema.parse(JSON.parse(text));
  const config = await readFile(join(dirname(path), 'config.json'), 'utf8');
  const { base_id: base, heads } = trainingSchema.parse(JSON.parse(config));
  const name = basename(dirname(path));
  return { file, name, base, kind: heads.kind, layers: heads.layers, ...measures, dynamic };
}

/** @throws when a file of bench/steps has no rows, or cannot be scored */
export async function loadRun(path: string, root: string): Promise<RunFigures> {
  const file = relative(root, path);
  const [run] = runsOf(await readFile(path, 'utf8'), file, await allExpected(root));
  if (!run) throw new Error(`${file} has no rows yet.`);
  return run;
}

async function allExpected(root: string): Promise<Expected> {
  const tasks = await Promise.all(KINDS.map((kind) => tasksOf(kind, root)));
  return expectedOf(tasks.flat());
}

async function listed(root: string, folders: readonly string[]): Promise<string[]> {
  const all = folders.map(async (folder) => {
    const path = resolve(root, folder);
    return (await names(path))
      .filter((name) => name.endsWith('.jsonl'))
      .map((name) => join(path, name));
  });
  return (await Promise.all(all)).flat();
}

/** Of a folder's content, in order; none of a folder that is not there. */
async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

/** Of JSONL, a half-written last line aside. */
function linesOf(text: string): unknown[] {
  return text.split('\n').flatMap((line): unknown[] => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

const kindOf = (header: unknown): string | undefined =>
  z.object({ kind: z.string() }).safeParse(header).data?.kind;
