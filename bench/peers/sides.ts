/** The two sides of the bench, each in a process of its own, behind one interface. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { z } from 'zod';
import { Engine } from '../../src/engine/client';
import type { ModelFiles } from '../../src/engine/protocol';
import { completedLine } from '../infilling/rule';
import { sum } from '../numbers';
import type { CompletionOutcome, Way } from './completion-results';
import { MAX_TOKENS, type CompletionTask } from './completion-tasks';

/** One prefill, and single steps behind it. */
export interface Measured {
  /** ms a token. */
  readonly prefillMs: number;
  /** Of steps with one row, ms; one entry a step. */
  readonly stepMs: readonly number[];
  /** Of steps with three rows, ms; only our side takes several rows of one sequence. */
  readonly threeRowsMs?: readonly number[];
}

export interface Memory {
  /** Resident now, and at most so far, bytes. */
  readonly resident: number;
  readonly peak: number;
}

export type Completed = Omit<CompletionOutcome, 'memory'>;

export interface Side {
  readonly name: string;
  /** Time to load, in its process, ms. */
  load(): Promise<number>;
  /** @param steps as many are measured; one more warms up */
  measure(context: number, steps: number): Promise<Measured>;
  /** A whole completion, nothing of the prompt being in the cache. */
  complete(task: CompletionTask, way: Way): Promise<Completed>;
  memory(): Memory;
  close(): Promise<void>;
}

export interface SideOptions {
  readonly threads: number;
  readonly contextLength: number;
}

export function ours(worker: string, model: ModelFiles, options: SideOptions): Side {
  const engine = new Engine({ worker });
  return {
    name: 'DynaMo',
    async load() {
      // One state alone: no prompt is there already when it is asked for in another mode.
      const { loadMs } = await engine.load(model, { ...options, cacheMegabytes: 0 });
      return loadMs;
    },
    measure: (context, steps) => measureOwn(engine, context, steps),
    complete: (task, way) => ownCompletion(engine, task, way === 'exact' ? 'exact' : 'ar'),
    memory: () => memoryOf(engine.pid ?? 0),
    close: () => engine.dispose(),
  };
}

/**
 * The engine tells the median of a call's steps, so each step is a call; its first one warms up. Each has a
 * prefill, of which the first counts, as the peer has one.
 */
export async function measureOwn(
  engine: Pick<Engine, 'measure'>,
  context: number,
  steps: number,
): Promise<Measured> {
  let prefillMs: number | undefined;
  const [stepMs, threeRowsMs]: [number[], number[]] = [[], []];
  for (let i = 0; i < steps; i++) {
    const measured = await engine.measure({ rows: 3, context, repeats: 1 });
    prefillMs ??= measured.prefillMs;
    stepMs.push(...measured.stepMs.slice(0, 1));
    threeRowsMs.push(...measured.stepMs.slice(2, 3));
  }
  return { prefillMs: prefillMs ?? NaN, stepMs, threeRowsMs };
}

async function ownCompletion(
  engine: Engine,
  { id, place, line, prompt }: CompletionTask,
  mode: 'ar' | 'exact',
): Promise<Completed> {
  // Another text in between: its state takes the place of the one before.
  const other = { prompt: '#', chat: false, maxTokens: 1, mode: 'ar', epsilon: 1 } as const;
  await engine.generate(other);
  let firstMs: number | undefined;
  const cpuBefore = cpuMsOf(engine.pid ?? 0);
  const started = performance.now();
  const first = () => void (firstMs ??= performance.now() - started);
  const decoding = { mode, epsilon: 1, maxTokens: MAX_TOKENS } as const;
  const result = await (typeof place === 'string'
    ? engine.generate({ prompt: place, chat: false, ...decoding }, first)
    : engine.complete(
        { ...place, multiline: !line, raw: true, stream: true, ...decoding },
        undefined,
        first,
      ));
  const ms = performance.now() - started;
  const cpuMs = cpuMsOf(engine.pid ?? 0) - cpuBefore;
  const { promptTokens, reusedTokens, tokens, text, steps } = result;
  if (promptTokens !== prompt.length || reusedTokens > MOST_REUSED) {
    throw new Error(
      `${id}: the prompt has ${promptTokens} tokens, ${reusedTokens} of them in the cache, instead of ${prompt.length} and none.`,
    );
  }
  const drafts = steps.flatMap(({ draft }) => draft ?? []);
  return {
    ...{ ms, firstMs: firstMs ?? ms, tokens, text, cpuMs },
    ...(mode === 'exact' && {
      drafts: {
        tried: sum(drafts.map((draft) => draft.tokens)),
        held: sum(drafts.map(({ accepted }) => accepted)),
      },
    }),
  };
}

/** A prompt may begin with the text in between. */
const MOST_REUSED = 1;

const loaded = z.object({ loadMs: z.number() });
const measured = z.object({ prefillMs: z.number(), stepMs: z.array(z.number()).min(1) });
const completed = z.object({
  ms: z.number(),
  firstMs: z.number(),
  tokens: z.number(),
  text: z.string(),
  drafts: z.object({ tried: z.number(), held: z.number() }).optional(),
});

const SPECULATION = { llama: 'none', 'llama-lookup': 'lookup', 'llama-draft': 'draft' } as const;

export interface PeerFiles {
  readonly gguf: string;
  /** Of a smaller model with the same tokens, for its own speculation. */
  readonly draft?: string | undefined;
}

/** @param stop ids that end our texts */
export function peer(
  folder: string,
  { gguf, draft }: PeerFiles,
  stop: readonly number[],
  options: SideOptions,
): Side {
  const child = spawn(process.execPath, [join(folder, 'peer.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ask = asker(child);
  const pid = child.pid ?? 0;
  return {
    name: 'llama.cpp',
    load: async () => loaded.parse(await ask({ load: gguf, draft, ...options })).loadMs,
    measure: async (context, steps) => measured.parse(await ask({ context, repeats: steps })),
    async complete({ prompt, line }, way) {
      const speculation = SPECULATION[way as keyof typeof SPECULATION];
      const request = { complete: prompt, stop, line, maxTokens: MAX_TOKENS, speculation };
      const cpuBefore = cpuMsOf(pid);
      const made = completed.parse(await ask(request));
      const cpuMs = cpuMsOf(pid) - cpuBefore;
      // Ours ends in front of the line's end.
      return { ...made, cpuMs, text: line ? completedLine(made.text) : made.text };
    },
    memory: () => memoryOf(pid),
    close: () =>
      new Promise((resolve) => {
        child.once('close', () => resolve());
        child.stdin?.end();
      }),
  };
}

/** Sends one request at a time and waits for its line of JSON. */
function asker(child: ChildProcess): (request: object) => Promise<unknown> {
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('The peer did not start.');
  let answer: ((line: string) => void) | undefined;
  let ended: ((error: Error) => void) | undefined;
  createInterface({ input: stdout }).on('line', (line) => answer?.(line));
  child.once('close', (code) => ended?.(new Error(`The peer ended with exit code ${code}.`)));
  return (request) =>
    new Promise((resolve, reject) => {
      answer = (line) => resolve(JSON.parse(line));
      ended = reject;
      stdin.write(`${JSON.stringify(request)}\n`);
    });
}

function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN);
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** Linux counts CPU time for programs in hundredths of a second on x64. */
const TICK_MS = 10;

/** User and system time are the 14th and 15th field; the second one, a name, may hold spaces. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return TICK_MS * (Number(fields[11]) + Number(fields[12]));
}
