/** Runs what is planned, one results file after the other, and says how far it is. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findInstalled } from '../../src/models/installed';
import { shuffled } from '../infilling/tasks';
import { placeIn } from '../measured-model';
import { measureSteps } from '../steps/measure';
import { tasksOf } from '../steps/tasks';
import { endpointJudge, localJudge } from './judge/judges';
import { runJudge } from './judge/run';
import { measureProfile } from './profile/run';
import type { Job, JudgeJob, PeersJob, StepsJob } from './plan';

export interface RunOptions {
  /** Of the checkout. */
  readonly root: string;
  readonly folder: string;
  readonly threads: number;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
  readonly judge: JudgeChoice;
  readonly ggufs: PeerGgufs;
}

/** GGUF files on this machine for bench/peers, by model. */
export interface PeerGgufs {
  readonly own: ReadonlyMap<string, string>;
  /** Other quantisations, for llama.cpp alone. */
  readonly peers: ReadonlyMap<string, readonly string[]>;
  /** What llama.cpp may draft with. */
  readonly drafting: ReadonlyMap<string, string>;
}

/** Who judges: what the user named, or a model of this machine. */
export interface JudgeChoice {
  readonly endpoint?: { readonly url: string; readonly key: string | undefined };
  readonly model: string | undefined;
  /** At most; what the plan says when absent. */
  readonly judgements: number | undefined;
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
      whole = runPeers(job, options) && whole;
    } else if (job.type === 'profile') {
      const { root, threads, folder, until } = options;
      const { name, model, quick } = job;
      whole =
        (await measureProfile({
          ...{ root, threads, until, model, quick, out: join(folder, `${name}.jsonl`) },
          onProgress: ({ part, context, rows, ms }) =>
            say(`${part}, ${rows} rows at ${context}: ${ms.toFixed(1)} ms`),
        })) && whole;
    } else {
      whole = (await runJudging(job, options, say)) && whole;
    }
  }
  return whole;
}

async function isInstalled(id: string, root: string): Promise<boolean> {
  const place = { ...placeIn(root), id, precision: 'int8' } as const;
  return (await findInstalled(place)) !== undefined;
}

async function runSteps(
  { name, model, heads, kind, modes, count, sampled, maxTokens }: StepsJob,
  { root, folder, threads, until }: RunOptions,
  say: (text: string) => void,
): Promise<boolean> {
  const all = await tasksOf(kind, root);
  // The sentences' order keeps a prompt from following itself.
  const tasks = (kind === 'sentence' ? all : shuffled(all, SEED)).slice(0, count);
  const first = new Set(tasks.slice(0, sampled?.count).map(({ id }) => id));
  return await measureSteps({
    ...{ root, model, heads, modes, maxTokens, threads, tasks, until },
    ...{ out: join(folder, `${name}.jsonl`), precision: 'int8', test: true },
    wants: ({ id }, mode) => first.has(id) || !sampled?.modes.includes(mode),
    onProgress: (done, { id }) => say(`${done}/${tasks.length} ${id}`),
  });
}

async function runJudging(
  { name, texts, judgements }: JudgeJob,
  { root, folder, threads, until, judge: { endpoint, model, judgements: most } }: RunOptions,
  say: (text: string) => void,
): Promise<boolean> {
  const there = texts
    .map((each) => join(folder, `${each}.jsonl`))
    .filter((each) => existsSync(each));
  if (there.length === 0) {
    say('passed over: there are no texts yet (--part open-ended)');
    return true;
  }
  const place = { suite: join(root, 'models'), worker: join(root, 'dist/worker.js') };
  const judge = endpoint
    ? endpointJudge(endpoint.url, model ?? '', endpoint.key)
    : await localJudge(place, model, threads);
  try {
    return await runJudge(judge, {
      ...{ root, judgements: most ?? judgements, until, out: join(folder, `${name}.jsonl`) },
      texts: there,
      onProgress: (done, all) => say(`${done}/${all} judgements by ${judge.name}`),
      onGivenUp: (why) => say(`no verdict, the rest is not asked: ${why}`),
    });
  } finally {
    await judge.close();
  }
}

/**
 * With the model's own file, and then with every other one that was named for it. bench/peers does not say
 * whether it is done, so what ends behind the time counts as unfinished.
 */
export function runPeers(
  { name, model, completions, threads, quick }: PeersJob,
  { root, folder, until, ggufs, ...options }: RunOptions,
  run: typeof runNode = runNode,
): boolean {
  const own = ggufs.own.get(model);
  const drafting = completions ? ggufs.drafting.get(model) : undefined;
  for (const peer of [undefined, ...(ggufs.peers.get(model) ?? [])]) {
    const minutes = (until - performance.now()) / 60_000;
    if (minutes <= 0) return false;
    run(root, [
      ...[join(root, 'bench/peers/peers.mjs'), '--model', model],
      ...['--threads', String(threads ?? options.threads)],
      ...['--out', join(folder, `${name}.jsonl`)],
      ...(own === undefined ? [] : ['--gguf', `${model}=${own}`]),
      ...(peer === undefined ? [] : ['--peer-gguf', peer]),
      ...(drafting === undefined ? [] : ['--draft-gguf', drafting]),
      ...(completions ? ['--completions'] : []),
      ...(Number.isFinite(minutes) ? ['--minutes', String(minutes)] : []),
      ...(quick ? ['--quick'] : []),
    ]);
  }
  return performance.now() <= until;
}

/** @throws when it ends with an error */
function runNode(root: string, args: readonly string[]): void {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`bench/peers ended with exit code ${String(status)}.`);
}
