/**
 * What is decoded: places in code and prose of several kinds, none of which trained or calibrated
 * anything. Knows nothing of engines.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readTasks, selectTasks, type InfillingTask } from '../infilling/tasks';

export const KINDS = ['line', 'span', 'held-out', 'prose'] as const;
export type Kind = (typeof KINDS)[number];

export type StepTask = {
  readonly id: string;
  readonly kind: Kind;
} & (
  | {
      readonly prompt?: undefined;
      readonly prefix: string;
      readonly suffix: string;
      readonly language: string;
      readonly multiline: boolean;
      /** The task that tests the text, where there is one. */
      readonly tested?: InfillingTask;
    }
  | { readonly prompt: string }
);

/** Lines between two places of a held-out file, and lines of its text that a place leaves out. */
const EVERY = 3;
const HOLE = 5;
/** Lines behind the beginning of a file before its first place. */
const FIRST = 6;

/** All tasks of a kind, in a fixed order. */
export async function tasksOf(kind: Kind, root: string): Promise<StepTask[]> {
  const data = join(root, 'bench/data');
  switch (kind) {
    case 'line':
      return infilling(kind, await readTasks(join(data, 'HumanEval-SingleLineInfilling.jsonl.gz')));
    case 'span':
      return infilling(
        kind,
        await readTasks(join(data, 'HumanEval-RandomSpanInfillingLight.jsonl.gz')),
      );
    case 'held-out':
      return await heldOut(join(root, 'training/oracle/heldout'));
    case 'prose':
      return await questions(join(data, 'vicuna_bench.jsonl'));
  }
}

function infilling(kind: 'line' | 'span', tasks: readonly InfillingTask[]): StepTask[] {
  // Shuffled as bench/infilling does, so that the first ones are a fair sample.
  return selectTasks(tasks, tasks.length, 1).map((tested) => {
    const { id, prefix, suffix } = tested;
    const multiline = kind === 'span';
    return { id, kind, prefix, suffix, language: 'python', multiline, tested };
  });
}

const manifest = z.object({
  files: z.array(z.object({ file: z.string(), language: z.string() })),
});

/** Places at the beginning of every third line, several lines to fill in. */
async function heldOut(folder: string): Promise<StepTask[]> {
  const { files } = manifest.parse(
    JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')),
  );
  const tasks: StepTask[] = [];
  for (const { file, language } of files) {
    const lines = (await readFile(join(folder, file), 'utf8')).split('\n');
    for (let line = FIRST; line + HOLE < lines.length; line += EVERY) {
      tasks.push({
        id: `${file}:${line + 1}`,
        kind: 'held-out',
        prefix: lines
          .slice(0, line)
          .map((each) => `${each}\n`)
          .join(''),
        suffix: `\n${lines.slice(line + HOLE).join('\n')}`,
        language,
        multiline: true,
      });
    }
  }
  return tasks;
}

const question = z.object({ question_id: z.number(), turns: z.array(z.string()).min(1) });

async function questions(path: string): Promise<StepTask[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const { question_id: id, turns } = question.parse(JSON.parse(line));
    return { id: `vicuna/${id}`, kind: 'prose', prompt: turns[0] ?? '' };
  });
}
