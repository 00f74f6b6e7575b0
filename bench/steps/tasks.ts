/**
 * What is decoded: places in code and prose of several kinds, none of which trained anything. Knows
 * nothing of engines.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readTasks, selectTasks, shuffled, type InfillingTask } from '../infilling/tasks';

export const KINDS = ['line', 'span', 'held-out', 'own', 'sentence', 'prose'] as const;
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
      /** What stands there. */
      readonly expected: string;
      /** The task that tests the text, where there is one. */
      readonly tested?: InfillingTask;
    }
  | {
      readonly prompt: string;
      /** As a user's turn of a conversation; otherwise the text is continued. */
      readonly chat: boolean;
      /** Draws instead of taking the likeliest tokens. */
      readonly draw?: { readonly temperature: number; readonly seed: number };
    }
);

/** Lines between two places of a held-out file, and lines of its text that a place leaves out. */
const EVERY = 3;
const HOLE = 5;
/** Lines behind the beginning of a file before its first place. */
const FIRST = 6;

/**
 * This repository's own code, which calibrates and is not reported on. Many files with one place of each,
 * in the beginning: two places of a file say less than those of two files.
 */
const OWN = [
  { folder: 'src', ending: '.ts', language: 'typescript' },
  { folder: 'training/dynamo_training', ending: '.py', language: 'python' },
] as const;
const OWN_CHARACTERS = 4200;
const OWN_EVERY = 5;

/** Of the shuffle, as in bench/infilling. */
const SEED = 1;

/** All tasks of a kind, in a fixed order; of places in code the first ones are a fair sample. */
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
    case 'own':
      return await own(root);
    case 'sentence':
      return sentences();
    case 'prose':
      return await questions(join(data, 'vicuna_bench.jsonl'));
  }
}

function infilling(kind: 'line' | 'span', tasks: readonly InfillingTask[]): StepTask[] {
  return selectTasks(tasks, tasks.length, SEED).map((tested) => {
    const { id, prefix, suffix, solution: expected } = tested;
    const multiline = kind === 'span';
    return { id, kind, prefix, suffix, language: 'python', multiline, expected, tested };
  });
}

const manifest = z.object({
  files: z.array(z.object({ file: z.string(), language: z.string() })),
});

async function heldOut(folder: string): Promise<StepTask[]> {
  const { files } = manifest.parse(
    JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')),
  );
  const places = files.map(async ({ file, language }) =>
    placesOf('held-out', file, language, await readFile(join(folder, file), 'utf8'), EVERY),
  );
  return shuffled((await Promise.all(places)).flat(), SEED);
}

async function own(root: string): Promise<StepTask[]> {
  const places = OWN.map(async ({ folder, ending, language }) => {
    const names = await readdir(join(root, folder), { recursive: true });
    const files = names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
    return await Promise.all(files.map((file) => onePlace(root, file, language)));
  });
  return shuffled((await Promise.all(places)).flat(2), SEED);
}

/** None of a short file. */
async function onePlace(root: string, file: string, language: string): Promise<StepTask[]> {
  const text = (await readFile(join(root, file), 'utf8')).slice(0, OWN_CHARACTERS);
  return shuffled(placesOf('own', file, language, text, OWN_EVERY), SEED).slice(0, 1);
}

/** Places at the beginning of every so many lines, several lines to fill in. */
function placesOf(
  kind: Kind,
  file: string,
  language: string,
  text: string,
  every: number,
): StepTask[] {
  const lines = text.split('\n');
  const tasks: StepTask[] = [];
  for (let line = FIRST; line + HOLE < lines.length; line += every) {
    const whole = (from: number, to: number) =>
      lines
        .slice(from, to)
        .map((each) => `${each}\n`)
        .join('');
    tasks.push({
      ...{ id: `${file}:${line + 1}`, kind, language, multiline: true },
      prefix: whole(0, line),
      suffix: `\n${lines.slice(line + HOLE).join('\n')}`,
      expected: whole(line, line + HOLE).slice(0, -1),
    });
  }
  return tasks;
}

const question = z.object({ question_id: z.number(), turns: z.array(z.string()).min(1) });

async function questions(path: string): Promise<StepTask[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const { question_id: id, turns } = question.parse(JSON.parse(line));
    return { id: `vicuna/${id}`, kind: 'prose', prompt: turns[0] ?? '', chat: true };
  });
}

/** The paper's sentences to complete, each with ten seeds at its temperature; no prompt follows itself. */
function sentences(): StepTask[] {
  return Array.from({ length: 10 }, (_, i) => i + 1).flatMap((seed) =>
    SENTENCES.map((prompt) => ({
      ...{ id: `${prompt} #${seed}`, kind: 'sentence' as const, prompt, chat: false },
      draw: { temperature: 0.7, seed },
    })),
  );
}

const SENTENCES = [
  'I am a student at the',
  'This is going to be a very',
  'He wanted to play, but',
  'How can we',
  'What will',
  'Will you',
  'Please explain',
  'Do not',
  "Wow! I can't believe that",
  'This is amazing! We',
];
