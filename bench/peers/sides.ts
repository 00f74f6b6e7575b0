/** The two sides of the bench, each in a process of its own, behind one interface. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { z } from 'zod';
import { Engine, modelFiles } from '../../src/engine/client';
import type { InstalledModel } from '../../src/models/installed';

/** One prefill, and single steps behind it. */
export interface Measured {
  /** ms a token. */
  readonly prefillMs: number;
  /** Of a step with one row, ms; one entry a step, or the median of several. */
  readonly stepMs: readonly number[];
  /** Of a step with three rows, ms; only our side takes several rows of one sequence. */
  readonly threeRowsMs?: number | undefined;
}

export interface Memory {
  /** Resident now, and at most so far, bytes. */
  readonly resident: number;
  readonly peak: number;
}

export interface Side {
  readonly name: string;
  /** Time to load, in its process, ms. */
  load(): Promise<number>;
  measure(context: number, repeats: number): Promise<Measured>;
  memory(): Memory;
  close(): Promise<void>;
}

export interface SideOptions {
  readonly threads: number;
  readonly contextLength: number;
}

export function ours(worker: string, model: InstalledModel, options: SideOptions): Side {
  const engine = new Engine({ worker });
  let pid = 0;
  return {
    name: 'DynaMo',
    async load() {
      const before = new Set(children());
      const { loadMs } = await engine.load(modelFiles(model), options);
      pid = children().find((child) => !before.has(child)) ?? 0;
      return loadMs;
    },
    async measure(context, repeats) {
      const { prefillMs, stepMs } = await engine.measure({ rows: 3, context, repeats });
      return { prefillMs, stepMs: stepMs.slice(0, 1), threeRowsMs: stepMs[2] };
    },
    memory: () => memoryOf(pid),
    close: () => engine.dispose(),
  };
}

const loaded = z.object({ loadMs: z.number() });
const measured = z.object({ prefillMs: z.number(), stepMs: z.array(z.number()).min(1) });

export function peer(folder: string, gguf: string, options: SideOptions): Side {
  const child = spawn(process.execPath, [join(folder, 'peer.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ask = asker(child);
  return {
    name: 'llama.cpp',
    load: async () => loaded.parse(await ask({ load: gguf, ...options })).loadMs,
    measure: async (context, repeats) => measured.parse(await ask({ context, repeats })),
    memory: () => memoryOf(child.pid ?? 0),
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

function children(): number[] {
  const list = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
  return list.trim().split(' ').map(Number);
}

function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN);
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
}
