/**
 * Whole completions of both sides: the same prompts, from an empty cache, each task in one way after
 * the other. The order of the ways turns from task to task.
 */
import { join } from 'node:path';
import { environmentOf } from '../environment';
import { appendRow } from '../results-file';
import { openSides, peerVersion, prepare, type Comparison, type Sides } from './comparison';
import {
  completionKey,
  isDone,
  openResults,
  readResults,
  type CompletionHeader,
  type CompletionOutcome,
  type CompletionRow,
  type Way,
} from './completion-results';
import { describeCompletions } from './completion-summary';
import {
  completionTasks,
  CONTEXT_LENGTH,
  GROUPS,
  MAX_TOKENS,
  QUICK_GROUPS,
  type CompletionTask,
} from './completion-tasks';
import { checkLoaded } from './loaded';

/** Whether every task is measured. */
export async function measureCompletions(comparison: Comparison): Promise<boolean> {
  const { folder, out, models, quick, draftFile, until } = comparison;
  const root = join(folder, '../..');
  const done = await openResults(out, await headerOf(comparison, root));
  const ways: Way[] = ['ar', 'exact', 'llama', 'llama-lookup'];
  if (draftFile !== undefined) ways.push('llama-draft');
  const groups = quick ? QUICK_GROUPS : GROUPS;
  for (const model of models) {
    const prepared = await prepare(comparison, model);
    const { subject } = prepared;
    checkLoaded(out, done.values(), subject);
    const all = await completionTasks(groups, root, prepared);
    const keyOf = ({ context, id: task }: CompletionTask) =>
      completionKey({ ...subject, context, task });
    const missing = all.filter((task) => !isDone(done.get(keyOf(task)), ways));
    if (missing.length === 0) continue;
    const sides = await openSides(comparison, prepared, CONTEXT_LENGTH);
    try {
      await warmUp(sides, missing, ways);
      for (const [turn, task] of missing.entries()) {
        if (performance.now() > until) return false;
        const made = await measured(sides, task, ways, turn);
        const { id, context, prompt } = task;
        await appendRow(out, {
          ...{ ...subject, context, task: id },
          ...{ promptTokens: prompt.length, ways: made },
        } satisfies CompletionRow);
        process.stderr.write(`${model} ${context} ${turn + 1}/${missing.length} ${id}\n`);
      }
    } finally {
      await sides.close();
    }
  }
  return true;
}

async function headerOf({ folder, threads }: Comparison, root: string): Promise<CompletionHeader> {
  return {
    ...{ kind: 'peers-completions-run', version: 1, threads, maxTokens: MAX_TOKENS },
    ...{ peer: await peerVersion(folder), environment: environmentOf(root) },
  };
}

/** The first request of a process is slower than the others. */
async function warmUp(sides: Sides, [task]: readonly CompletionTask[], ways: readonly Way[]) {
  if (task) for (const way of ways) await sideOf(sides, way).complete(task, way);
}

async function measured(
  sides: Sides,
  task: CompletionTask,
  ways: readonly Way[],
  turn: number,
): Promise<Partial<Record<Way, CompletionOutcome>>> {
  const made: Partial<Record<Way, CompletionOutcome>> = {};
  for (let i = 0; i < ways.length; i++) {
    const way = ways[(i + turn) % ways.length] ?? 'ar';
    const side = sideOf(sides, way);
    made[way] = { ...(await side.complete(task, way)), memory: side.memory() };
  }
  return made;
}

const sideOf = ({ ours, theirs }: Sides, way: Way) =>
  way === 'ar' || way === 'exact' ? ours : theirs;

export async function describeFile(out: string): Promise<string> {
  const { rows, header } = await readResults(out);
  return describeCompletions([...rows.values()], header.threads);
}
