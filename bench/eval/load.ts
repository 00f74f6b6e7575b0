/** Reads what the report is made of: raw results of the benches, told apart by their heads. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { z } from 'zod';
import {
  parseResults as parseInfilling,
  type Results as InfillingResults,
} from '../infilling/results';
import { parseResults as parsePeers } from '../peers/results';
import { summaries, type Summary } from '../peers/summary';
import { keyOf, parseResults as parseSteps } from '../steps/results';
import { KINDS, tasksOf } from '../steps/tasks';
import { figuresOfRun, type RunFigures } from './figures';
import { judgeFigures, type JudgeFigures } from './judge/figures';
import { parseResults as parseJudge } from './judge/results';
import { expectedOf, type Expected } from './scores';

/** Folders of raw results that the report takes. */
export const RAW_FOLDERS = [
  'bench/eval/results',
  'bench/steps/results',
  'bench/peers/results',
  'bench/infilling/results',
];

export interface PeerFigures {
  readonly file: string;
  readonly threads: number;
  readonly processor: string;
  readonly models: readonly Summary[];
}

/** Measures of training/, of heads on held-out text. */
export interface HeadsMeasures {
  readonly file: string;
  readonly name: string;
  readonly positions: number;
  readonly ppl: Readonly<Record<string, number>>;
  readonly dynamic: readonly {
    readonly epsilon: number;
    readonly ppl: number;
    readonly tokens: number;
  }[];
}

export interface Evidence {
  readonly runs: readonly RunFigures[];
  readonly peers: readonly PeerFigures[];
  readonly judges: readonly JudgeFigures[];
  readonly infilling: readonly { readonly file: string; readonly results: InfillingResults }[];
  readonly heads: readonly HeadsMeasures[];
  /** Every file that was read, with the beginning of its SHA-256. */
  readonly files: readonly { readonly file: string; readonly sha256: string }[];
}

const measuresSchema = z.object({
  positions: z.number(),
  ppl: z.record(z.string(), z.number()),
  ppl_d: z.array(z.object({ epsilon: z.number(), ppl: z.number(), tokens: z.number() })),
});

/**
 * @param root of the checkout, from which folders and files are named
 * @throws when a file is no results file of a bench
 */
export async function loadEvidence(root: string, folders: readonly string[]): Promise<Evidence> {
  const expected = await allExpected(root);
  const runs: RunFigures[] = [];
  const peers: PeerFigures[] = [];
  const infilling: Evidence['infilling'][number][] = [];
  const judged: { file: string; text: string }[] = [];
  const files: { file: string; sha256: string }[] = [];
  const take = (file: string, text: string) =>
    files.push({ file, sha256: createHash('sha256').update(text).digest('hex').slice(0, 16) });
  for (const path of await listed(root, folders)) {
    const file = relative(root, path);
    const text = await readFile(path, 'utf8');
    take(file, text);
    const kind = kindOf(text);
    if (kind === 'steps-run') {
      const { header, rows } = parseSteps(text, file);
      runs.push(...figuresOfRun({ file, header, rows: [...rows.values()] }, expected));
    } else if (kind === 'peers-run') {
      const { header, rows } = parsePeers(text, file);
      peers.push({ file, ...header, models: summaries([...rows.values()]) });
    } else if (kind === 'infilling-run') {
      infilling.push({ file, results: parseInfilling(text, file) });
    } else if (kind === 'judge-run') {
      judged.push({ file, text });
    } else {
      throw new Error(`${file} is not a results file of a bench that the report knows.`);
    }
  }
  const heads: HeadsMeasures[] = [];
  for (const name of await names(join(root, 'training/results'))) {
    const path = join(root, 'training/results', name, 'measures.json');
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const { positions, ppl, ppl_d: dynamic } = measuresSchema.parse(JSON.parse(text));
    const file = relative(root, path);
    take(file, text);
    heads.push({ file, name, positions, ppl, dynamic });
  }
  const judges = judged.map(({ file, text }) => judgeFigures(file, parseJudge(text, file), runs));
  return { runs, peers, judges, infilling, heads, files };
}

/** @throws when a file of bench/steps has no rows */
export async function loadRun(path: string, root: string): Promise<RunFigures> {
  const file = relative(root, path);
  const { header, rows } = parseSteps(await readFile(path, 'utf8'), file);
  const loaded = { file, header, rows: [...rows.values()] };
  const [run] = figuresOfRun(loaded, await allExpected(root));
  if (!run) throw new Error(`${file} has no rows yet.`);
  return run;
}

async function allExpected(root: string): Promise<Expected> {
  const tasks = await Promise.all(KINDS.map((kind) => tasksOf(kind, root)));
  return expectedOf(tasks.flat(), keyOf);
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

function kindOf(text: string): string | undefined {
  try {
    const header: unknown = JSON.parse(text.slice(0, text.indexOf('\n')));
    return z.object({ kind: z.string() }).parse(header).kind;
  } catch {
    return undefined;
  }
}
