/** Runs what is planned, one results file after the other, and says how far it is. */
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findInstalled } from '../../src/models/installed';
import { dataDirectory } from '../../src/models/paths';
import { shuffled } from '../infilling/tasks';
import { measureSteps } from '../steps/measure';
import { tasksOf } from '../steps/tasks';
import { endpointJudge, localJudge } from './judge/judges';
import { runJudge } from './judge/run';
import type { Job, JudgeJob, PeersJob, StepsJob } from './plan';

export interface RunOptions {
  /** Of the checkout. */
  readonly root: string;
  readonly folder: string;
  readonly threads: number;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
  readonly judge: JudgeChoice;
}

/** Who judges: what the user named, or a model of this machine. */
export interface JudgeChoice {
  readonly endpoint?: { readonly url: string; readonly key: string | undefined };
  readonly model: string | undefined;
}

const SEED = 1;

/** Whether all of it is measured. A model that is not installed is passed over, and said. */
export async function runJobs(jobs: readonly Job[], options: RunOptions): Promise<boolean> {
  await mkdir(options.folder, { recursive: true });
  let whole = true;
  for (const [index, job] of jobs.entries()) {
    if (performance.now() > options.until) return false;
    const say = (text: string) =>
      process.stderr.write(`[${index + 1}/${jobs.length}] ${job.name} ${text}\n`);
    if (job.type !== 'judge' && !(await isInstalled(job.model, options.root))) {
      say(`passed over: not installed (dynamo models install ${job.model})`);
    } else if (job.type === 'steps') {
      whole = (await runSteps(job, options, say)) && whole;
    } else if (job.type === 'peers') {
      runPeers(job, options);
    } else {
      whole = (await runJudging(job, options, say)) && whole;
    }
  }
  return whole;
}

async function isInstalled(id: string, root: string): Promise<boolean> {
  const suite = join(root, 'models');
  return (
    (await findInstalled({ suite, home: dataDirectory(), id, precision: 'int8' })) !== undefined
  );
}

async function runSteps(
  { name, model, heads, kind, modes, count, maxTokens }: StepsJob,
  { root, folder, threads, until }: RunOptions,
  say: (text: string) => void,
): Promise<boolean> {
  const all = await tasksOf(kind, root);
  // The sentences' order keeps a prompt from following itself.
  const tasks = (kind === 'sentence' ? all : shuffled(all, SEED)).slice(0, count);
  return await measureSteps({
    ...{ root, model, heads, modes, maxTokens, threads, tasks, until },
    ...{ out: join(folder, `${name}.jsonl`), precision: 'int8', test: true },
    onProgress: (done, { id }) => say(`${done}/${tasks.length} ${id}`),
  });
}

async function runJudging(
  { name, texts, judgements }: JudgeJob,
  { root, folder, threads, until, judge: { endpoint, model } }: RunOptions,
  say: (text: string) => void,
): Promise<boolean> {
  const place = { suite: join(root, 'models'), worker: join(root, 'dist/worker.js') };
  const judge = endpoint
    ? endpointJudge(endpoint.url, model ?? '', endpoint.key)
    : await localJudge(place, model, threads);
  try {
    return await runJudge(judge, {
      ...{ root, judgements, until, out: join(folder, `${name}.jsonl`) },
      texts: texts.map((each) => join(folder, `${each}.jsonl`)),
      onProgress: (done, all) => say(`${done}/${all} judgements by ${judge.name}`),
    });
  } finally {
    await judge.close();
  }
}

function runPeers(
  { name, model, quick }: PeersJob,
  { root, folder, threads, until }: RunOptions,
): void {
  const minutes = (until - performance.now()) / 60_000;
  const args = [
    ...[join(root, 'bench/peers/peers.mjs'), '--model', model, '--threads', String(threads)],
    ...['--out', join(folder, `${name}.jsonl`)],
    ...(Number.isFinite(minutes) ? ['--minutes', String(minutes)] : []),
    ...(quick ? ['--quick'] : []),
  ];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`bench/peers ended with exit code ${String(status)}.`);
}
