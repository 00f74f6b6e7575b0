/** One run: a model, tasks and modes, every task's row appended as soon as it is known. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Engine } from '../../src/engine/client';
import type { Precision } from '../../src/models/paths';
import { environmentOf } from '../environment';
import { createEvaluator, type Evaluator } from '../infilling/evaluate';
import { completedLine, programOf, spanProgramOf } from '../infilling/rule';
import { measuredModel, placeIn } from '../measured-model';
import { appendRow } from '../results-file';
import type { ModeSpec } from './modes';
import { checkPlaces, expectedOf } from './places';
import { keyOf, openResults, type ResultRow, type RunHeader } from './results';
import { CACHE_MEGABYTES, runTasks } from './run';
import type { StepTask } from './tasks';

export interface Measurement {
  /** Of the checkout. */
  readonly root: string;
  readonly out: string;
  readonly model: string;
  readonly precision: Precision;
  /** The model's own when absent. */
  readonly heads?: string | undefined;
  readonly modes: readonly ModeSpec[];
  /** Whether a task is decoded in a mode; all are when absent. */
  readonly wants?: (task: StepTask, mode: ModeSpec) => boolean;
  readonly maxTokens: number;
  readonly threads?: number | undefined;
  /** Whether to run the tests of tasks that have some on every text. */
  readonly test: boolean;
  readonly tasks: readonly StepTask[];
  readonly onProgress: (done: number, task: StepTask, row: ResultRow) => void;
  /** When no more tasks are begun, on performance.now's clock. */
  readonly until?: number;
}

/** Whether every task has its row. Loads no model where that is so already. */
export async function measureSteps(measurement: Measurement): Promise<boolean> {
  const { root, out, model: id, precision, modes, maxTokens, threads, tasks } = measurement;
  const { files, version } = await measuredModel(
    { ...placeIn(root), id, precision },
    measurement.heads,
  );
  const { id: model, heads = 'none', ...made } = version;
  const header: RunHeader = {
    kind: 'steps-run',
    version: 1,
    model,
    heads,
    ...made,
    modes: [...modes],
    maxTokens,
    threads: threads ?? null,
    cacheMegabytes: CACHE_MEGABYTES,
    environment: environmentOf(root),
  };
  await mkdir(dirname(out), { recursive: true });
  const there = await openResults(out, header);
  const found = tasks.flatMap((task) => there.get(keyOf(task)) ?? []);
  checkPlaces(out, found, expectedOf(tasks));
  const todo = tasks.filter((task) => !there.has(keyOf(task)));
  if (todo.length === 0) return true;
  const evaluator = measurement.test
    ? await createEvaluator(join(root, 'bench/infilling/runner.py'))
    : undefined;
  const engine = new Engine({ worker: join(root, 'dist/worker.js') });
  let done = tasks.length - todo.length;
  try {
    const cacheMegabytes = CACHE_MEGABYTES;
    await engine.load(files, { cacheMegabytes, ...(threads !== undefined && { threads }) });
    const { wants, until } = measurement;
    await runTasks(engine, todo, {
      ...{ modes, wants, maxTokens, until },
      async write(task, row) {
        await appendRow(out, evaluator ? await tested(task, row, evaluator) : row);
        measurement.onProgress(++done, task, row);
      },
    });
  } finally {
    await engine.dispose();
  }
  return done === tasks.length;
}

/** With the verdict of the task's own tests on every mode's text. */
async function tested(task: StepTask, row: ResultRow, evaluator: Evaluator): Promise<ResultRow> {
  if (task.prompt !== undefined || !task.tested) return row;
  const verdicts = new Map<string, boolean>();
  const modes: ResultRow['modes'] = {};
  for (const [mode, outcome] of Object.entries(row.modes)) {
    const { text, stopReason } = outcome;
    const program = task.multiline
      ? spanProgramOf(task.tested, text, stopReason === 'maxTokens')
      : programOf(task.tested, completedLine(text));
    const passed =
      verdicts.get(program) ?? (await evaluator.evaluate(program)).verdict === 'passed';
    verdicts.set(program, passed);
    modes[mode] = { ...outcome, passed };
  }
  return { ...row, modes };
}
