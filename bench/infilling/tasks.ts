/**
 * Infilling tasks: reading them, and which ones a run takes. Knows nothing of models or evaluation.
 *
 * Source of the data: human-eval-infilling (bench/data/README.md).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const task = z.object({
  task_id: z.string(),
  entry_point: z.string().regex(/^[A-Za-z_]\w*$/),
  prompt: z.string(),
  suffix: z.string(),
  canonical_solution: z.string(),
  test: z.string(),
});

export interface InfillingTask {
  readonly id: string;
  /** Name of the function that `test` checks. */
  readonly entryPoint: string;
  /** The file before the hole; ends with a line feed in single-line tasks. */
  readonly prefix: string;
  /** The file behind the hole. */
  readonly suffix: string;
  /** What stood in the hole: in single-line tasks indentation, one line and its line feed. */
  readonly solution: string;
  readonly test: string;
}

/** @throws an error that names the line when one is not a task */
export function parseTasks(jsonl: string): InfillingTask[] {
  const tasks: InfillingTask[] = [];
  for (const [index, line] of jsonl.split('\n').entries()) {
    if (line.trim() === '') continue;
    let content: unknown;
    try {
      content = JSON.parse(line);
    } catch {
      throw new Error(`Line ${index + 1} of the tasks is not JSON.`);
    }
    const parsed = task.safeParse(content);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new Error(
        `Line ${index + 1} of the tasks: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      );
    }
    const { task_id, entry_point, prompt, suffix, canonical_solution, test } = parsed.data;
    tasks.push({
      id: task_id,
      entryPoint: entry_point,
      prefix: prompt,
      suffix,
      solution: canonical_solution,
      test,
    });
  }
  return tasks;
}

/** Reads a task file, gzip-compressed when its name ends in `.gz`. */
export async function readTasks(path: string): Promise<InfillingTask[]> {
  const raw = await readFile(path);
  return parseTasks((path.endsWith('.gz') ? gunzipSync(raw) : raw).toString('utf8'));
}

/**
 * A shuffle that every language can repeat: ascending order of SHA-256("<seed>:<id>") in hexadecimal.
 */
export function shuffled<T extends { readonly id: string }>(
  tasks: readonly T[],
  seed: number,
): T[] {
  return tasks
    .map((entry) => ({
      entry,
      key: createHash('sha256').update(`${seed}:${entry.id}`).digest('hex'),
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ entry }) => entry);
}

/** The first `count` tasks after the shuffle; training/oracle/tasks.py selects the same. */
export function selectTasks(
  tasks: readonly InfillingTask[],
  count: number,
  seed: number,
): InfillingTask[] {
  return shuffled(tasks, seed).slice(0, count);
}
