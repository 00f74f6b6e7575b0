/**
 * Where completions come from: a command that speaks the command line's JSONL, a file of completions,
 * or the tasks' own solutions. Knows nothing of evaluation.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { InfillingTask } from './tasks';

export type Order = 'suffix-first' | 'prefix-first';

export interface Completion {
  readonly id: string;
  readonly text: string;
  /** Tokens of the text. */
  readonly tokens?: number | undefined;
  /** Decoding steps that made them. */
  readonly steps?: number | undefined;
  readonly prefillMs?: number | undefined;
  readonly decodeMs?: number | undefined;
  readonly stopReason?: string | undefined;
}

export type Answer = Completion | { readonly id: string; readonly error: string };

export interface AskOptions {
  readonly order: Order;
  readonly maxTokens: number;
  /** How long the command may stay silent, ms; loading the model counts. */
  readonly idleMs: number;
}

/** Tasks sent ahead of the answers, so that the command never waits for the harness. */
const AHEAD = 4;

const answer = z.union([
  z.object({ id: z.string(), error: z.string() }),
  z.object({
    id: z.string(),
    text: z.string(),
    tokens: z.number().optional(),
    steps: z.array(z.unknown()).optional(),
    prefillMs: z.number().optional(),
    decodeMs: z.number().optional(),
    stopReason: z.string().optional(),
  }),
]);

/** The line of JSON that asks for one completion. */
export function requestLine(task: InfillingTask, options: AskOptions): string {
  return JSON.stringify({
    id: task.id,
    prefix: task.prefix,
    suffix: task.suffix,
    language: 'python',
    maxTokens: options.maxTokens,
    raw: true,
    multiline: false,
    order: options.order,
  });
}

/** @throws when the line is not an answer */
export function parseAnswer(line: string): Answer {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch {
    throw new Error(`The completer wrote something that is not JSON: ${line.slice(0, 200)}`);
  }
  const parsed = answer.safeParse(content);
  if (!parsed.success) {
    throw new Error(`The completer's answer is not one: ${line.slice(0, 200)}`);
  }
  if ('error' in parsed.data) return parsed.data;
  return { ...parsed.data, steps: parsed.data.steps?.length };
}

/**
 * Asks a command for every task, in order.
 *
 * @throws when the command cannot start, ends early, stays silent, or answers another task
 */
export async function* askCommand(
  command: readonly string[],
  tasks: readonly InfillingTask[],
  options: AskOptions,
): AsyncGenerator<Answer> {
  const [file, ...args] = command;
  if (file === undefined) throw new Error('Give the completer as a command behind `--`.');
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let failure = '';
  child.on('error', (error) => (failure ||= `cannot start: ${error.message}`));
  child.on('exit', (code, signal) => (failure ||= `ended with ${signal ?? `exit code ${code}`}`));
  child.stdin.on('error', () => undefined);
  const silence = setTimeout(() => {
    failure ||= `said nothing for ${options.idleMs} ms`;
    child.kill('SIGKILL');
  }, options.idleMs);

  let sent = 0;
  const send = (): void => {
    const next = tasks[sent];
    if (next === undefined) return;
    sent += 1;
    child.stdin.write(`${requestLine(next, options)}\n`);
    if (sent === tasks.length) child.stdin.end();
  };
  try {
    for (let i = 0; i < AHEAD; i += 1) send();
    let answered = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      silence.refresh();
      if (line.trim() === '') continue;
      const given = parseAnswer(line);
      const expected = tasks[answered]?.id;
      if (given.id !== expected) {
        throw new Error(`The completer answered ${given.id} where ${String(expected)} was asked.`);
      }
      answered += 1;
      send();
      yield given;
      if (answered === tasks.length) return;
    }
    // Output may end a moment before the exit or the start error is known.
    if (failure === '') await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error(
      `The completer ${failure || 'closed its output'} after ${answered} of ${tasks.length} tasks; ` +
        'see its messages, then run the same command again to go on.',
    );
  } finally {
    clearTimeout(silence);
    child.kill();
  }
}

/** Completions of the given tasks from a JSONL file with `id` and `text`; a missing one is an error. */
export async function* readCompletions(
  path: string,
  tasks: readonly InfillingTask[],
): AsyncGenerator<Answer> {
  const found = new Map<string, Answer>();
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    if (line.trim() === '') continue;
    const given = parseAnswer(line);
    found.set(given.id, given);
  }
  for (const { id } of tasks) {
    yield found.get(id) ?? { id, error: `${path} has no completion of this task.` };
  }
}

/** The tasks' own solutions: every one of them must pass. */
export async function* ownSolutions(tasks: readonly InfillingTask[]): AsyncGenerator<Answer> {
  for (const { id, solution } of tasks) yield await Promise.resolve({ id, text: solution });
}
