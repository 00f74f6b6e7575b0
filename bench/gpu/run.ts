/**
 * Measures models on a device: steps by rows, prefill and memory beside the CPU's, exact and fast mode
 * over plain decoding, greedy texts against those of the CPU's fp32 graphs, and PyTorch on the same
 * device. Whatever has its row already is left out, and nothing is begun after the time is up.
 */
import { join } from 'node:path';
import { Engine, modelFiles } from '../../src/engine/client';
import type { Provider } from '../../src/engine/protocol';
import { CPU } from '../../src/engine/provider';
import { findInstalled, type InstalledModel } from '../../src/models/installed';
import type { Precision } from '../../src/models/paths';
import { placeIn } from '../measured-model';
import { appendRow } from '../results-file';
import type { ModeSpec } from '../steps/modes';
import type { ResultRow } from '../steps/results';
import { CACHE_MEGABYTES, runTasks } from '../steps/run';
import { tasksOf, type StepTask } from '../steps/tasks';
import { deviceMemory, residentMemory } from './machine';
import { runPeer } from './peer';
import { keyOf, type Row, type Side } from './results';

export interface Plan {
  readonly contexts: readonly number[];
  readonly repeats: number;
  /** Held-out places that are decoded in every mode. */
  readonly places: number;
  /** Lines whose texts are compared. */
  readonly texts: number;
  readonly maxTokens: number;
}

export const WHOLE: Plan = {
  contexts: [128, 1024, 3072],
  repeats: 15,
  places: 60,
  texts: 100,
  maxTokens: 64,
};

/** Tries everything out; its figures say nothing. */
export const QUICK: Plan = { contexts: [64], repeats: 2, places: 2, texts: 4, maxTokens: 16 };

export const PARTS: readonly Row['part'][] = ['speed', 'modes', 'peer', 'text'];

export interface GpuRun {
  readonly root: string;
  readonly out: string;
  readonly models: readonly string[];
  readonly provider: Provider;
  readonly plan: Plan;
  readonly parts: readonly Row['part'][];
  /** Python with PyTorch; undefined leaves the peer out. */
  readonly python: string | undefined;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
  readonly there: ReadonlyMap<string, Row>;
  readonly tell: (line: string) => void;
}

/** Whether everything has its row. */
export async function runGpu(run: GpuRun): Promise<boolean> {
  const parts = { speed: speeds, modes, peer, text: texts };
  for (const model of run.models) {
    for (const part of run.parts) {
      if (late(run) || !(await parts[part](run, model))) return false;
    }
  }
  return true;
}

const has = ({ there }: GpuRun, row: Record<string, unknown> & { readonly part: Row['part'] }) =>
  there.has(keyOf(row as unknown as Row));
const late = ({ until }: GpuRun): boolean => performance.now() > until;

async function speeds(run: GpuRun, model: string): Promise<boolean> {
  const { contexts, repeats } = run.plan;
  for (const side of ['gpu', 'cpu'] as const) {
    const todo = contexts.filter((context) => !has(run, { part: 'speed', model, side, context }));
    if (todo.length === 0) continue;
    const precision = side === 'gpu' ? 'fp16' : 'int8';
    const before = side === 'gpu' ? await deviceMemory(run.provider.device) : null;
    await withEngine(run, model, side, precision, async (engine, loadMs) => {
      for (const context of todo) {
        if (late(run)) return;
        // Once for whatever the first run of a shape costs.
        await engine.measure({ rows: 1, context, repeats: 1 });
        const { prefillMs, stepMs } = await engine.measure({ rows: 8, context, repeats });
        const after = before === null ? null : await deviceMemory(run.provider.device);
        const memory = {
          resident: await residentMemory(engine.pid),
          device: before === null || after === null ? null : after - before,
        };
        const measured = { context, loadMs, prefillMs, stepMs, memory };
        await appendRow(run.out, { part: 'speed', model, side, precision, ...measured });
        run.tell(`${model}, ${side}, ${context} tokens: ${stepMs[0]?.toFixed(1) ?? '-'} ms a step`);
      }
    });
  }
  return !late(run);
}

async function modes(run: GpuRun, model: string): Promise<boolean> {
  const all = (await tasksOf('held-out', run.root)).slice(0, run.plan.places);
  const todo = all.filter(({ id }) => !has(run, { part: 'modes', model, id }));
  if (todo.length === 0) return true;
  const installed = await requireInstalled(run, model, 'fp16');
  const hasHeads = modelFiles(installed).heads !== undefined;
  const specs: ModeSpec[] = hasHeads ? ['ar', 'exact', 'fast:0.5'] : ['ar', 'exact'];
  let done = 0;
  await withEngine(run, model, 'gpu', 'fp16', async (engine) => {
    const { maxTokens } = run.plan;
    const write = async ({ id }: StepTask, row: ResultRow) => {
      await appendRow(run.out, { part: 'modes', model, id, modes: row.modes });
      run.tell(`${model}, modes ${++done}/${todo.length}`);
    };
    await runTasks(engine, todo, { modes: specs, maxTokens, until: run.until, write });
  });
  return done === todo.length;
}

async function peer(run: GpuRun, model: string): Promise<boolean> {
  const { contexts, repeats } = run.plan;
  const todo = contexts.filter((context) => !has(run, { part: 'peer', model, context }));
  if (run.python === undefined || todo.length === 0) return true;
  const installed = await requireInstalled(run, model, 'fp16');
  const { root, python, provider } = run;
  const rows = await runPeer({ root, python, provider, installed, contexts: todo, repeats });
  for (const row of rows) {
    await appendRow(run.out, { part: 'peer', model, ...row });
    run.tell(`${model}, PyTorch, ${row.context} tokens: ${row.stepMs[0]?.toFixed(1) ?? '-'} ms`);
  }
  return true;
}

async function texts(run: GpuRun, model: string): Promise<boolean> {
  const all = (await tasksOf('line', run.root)).slice(0, run.plan.texts);
  for (const side of ['gpu', 'cpu'] as const) {
    const todo = all.filter(({ id }) => !has(run, { part: 'text', model, side, id }));
    if (todo.length === 0) continue;
    const precision = side === 'gpu' ? 'fp16' : 'fp32';
    const done = await decodeTexts(run, model, side, precision, todo);
    if (done < todo.length) return false;
  }
  return true;
}

async function decodeTexts(
  run: GpuRun,
  model: string,
  side: Side,
  precision: Precision,
  tasks: readonly StepTask[],
): Promise<number> {
  let done = 0;
  await withEngine(run, model, side, precision, async (engine) => {
    const { maxTokens } = run.plan;
    const write = async ({ id }: StepTask, { modes: made }: ResultRow) => {
      const { text = '', tokens: count = 0 } = made['ar'] ?? {};
      await appendRow(run.out, { part: 'text', model, side, precision, id, text, tokens: count });
      run.tell(`${model}, texts, ${side} ${++done}/${tasks.length}`);
    };
    await runTasks(engine, tasks, { modes: ['ar'], maxTokens, until: run.until, write });
  });
  return done;
}

/** An engine without a way back to the CPU: where the device fails, the bench does. */
async function withEngine(
  run: GpuRun,
  model: string,
  side: Side,
  precision: Precision,
  use: (engine: Engine, loadMs: number) => Promise<void>,
): Promise<void> {
  const files = modelFiles(await requireInstalled(run, model, precision));
  const engine = new Engine({ worker: join(run.root, 'dist', 'worker.js') });
  try {
    const provider = side === 'gpu' ? run.provider : CPU;
    const { loadMs } = await engine.load(files, { provider, cacheMegabytes: CACHE_MEGABYTES });
    await use(engine, loadMs);
  } finally {
    await engine.dispose();
  }
}

async function requireInstalled(
  { root }: GpuRun,
  id: string,
  precision: Precision,
): Promise<InstalledModel> {
  const found = await findInstalled({ ...placeIn(root), id, precision });
  if (found) return found;
  throw new Error(
    `${id} is not installed: node dist/cli.js models install ${id} --precision ${precision}`,
  );
}
