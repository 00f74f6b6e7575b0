/** One run: completions from a source, evaluated a few at a time, each written as it is known. */
import type { Answer } from './completer';
import type { Evaluator } from './evaluate';
import type { ResultRow } from './results';
import { completedLine, matchesExactly, programOf } from './rule';
import type { InfillingTask } from './tasks';

export interface RunOptions {
  /** Evaluations at a time. */
  readonly jobs: number;
  readonly write: (row: ResultRow) => Promise<void>;
}

export async function evaluateAnswer(
  task: InfillingTask,
  answer: Answer,
  evaluator: Evaluator,
): Promise<ResultRow> {
  if ('error' in answer) {
    return { id: task.id, verdict: 'error', detail: answer.error, exact: false };
  }
  const line = completedLine(answer.text);
  const verdict = await evaluator.evaluate(programOf(task, line));
  return { ...answer, line, exact: matchesExactly(task, line), ...verdict };
}

/** @throws what the source or the evaluator throws, once the evaluations under way have ended */
export async function evaluateAll(
  tasks: readonly InfillingTask[],
  answers: AsyncIterable<Answer>,
  evaluator: Evaluator,
  options: RunOptions,
): Promise<void> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const answer of answers) {
      const task = byId.get(answer.id);
      if (task === undefined) throw new Error(`There is no task ${answer.id}.`);
      const job: Promise<void> = evaluateAnswer(task, answer, evaluator)
        .then(options.write)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(job));
      running.add(job);
      if (running.size >= options.jobs) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}
