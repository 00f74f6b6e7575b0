/**
 * Runs inside the extension host while the bench types: writes down each completion that was asked
 * of the engine, how long the event loop was held up, and how much of that was the extension's own.
 */
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Session as Inspector, type Profiler } from 'node:inspector/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Session } from '../../src/editor/session';
import { LoopWatch, type LoopTime } from './loop-time';
import { longestStretches } from './stretches';

/** What the extension exports in tests. */
interface Parts {
  readonly session: Session;
  readonly activationMs: number;
}

export interface Asked {
  /** When the request began, ms since the epoch. */
  readonly began: number;
  readonly latencyMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly tokens: number;
  readonly steps: number;
  readonly stopReason: string;
}

export interface HostFigures {
  readonly activationMs: number;
  /** Reading and running the bundle, ms: of a copy, because VS Code has done it by then. */
  readonly bundleMs: number;
  /** Of the whole extension host, VS Code's own extensions included. */
  readonly loop: LoopTime;
  /** The longest stretches of the extension's own code without a break, ms, longest first. */
  readonly own: readonly { readonly ms: number; readonly where: string }[];
  readonly seconds: number;
}

const SAMPLING_US = 500;

export async function run(): Promise<void> {
  const folder = process.env['DYNAMO_BENCH_FOLDER'];
  if (!folder) throw new Error('DYNAMO_BENCH_FOLDER is not set.');
  const extension = vscode.extensions.getExtension<Parts>('dynamo-completion.dynamo-completion');
  if (!extension) throw new Error('The extension is not there.');
  const { session, activationMs } = await extension.activate();
  const listener = session.onDidComplete(({ result, latencyMs }) => {
    const { prefillMs, decodeMs, promptTokens, reusedTokens, tokens, steps, stopReason } = result;
    const asked: Asked = {
      ...{
        began: Date.now() - Math.max(latencyMs, prefillMs + decodeMs),
        latencyMs,
        prefillMs,
        decodeMs,
      },
      ...{ promptTokens, reusedTokens, tokens, steps: steps.length, stopReason },
    };
    // Not within the extension's own time.
    setImmediate(() => void appendFile(join(folder, 'asked.jsonl'), `${JSON.stringify(asked)}\n`));
  });
  // What happens once, at the start, is activation's.
  await until(() => existsSync(join(folder, 'begin')));
  const started = performance.now();
  const inspector = new Inspector();
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await inspector.post('Profiler.start');
  const watch = new LoopWatch();
  await until(() => existsSync(join(folder, 'end')));
  const loop = watch.stop();
  const { profile } = (await inspector.post('Profiler.stop')) as {
    readonly profile: Profiler.Profile;
  };
  inspector.disconnect();
  listener.dispose();
  const figures: HostFigures = {
    activationMs,
    bundleMs: bundleTime(join(extension.extensionPath, 'dist', 'extension.js'), folder),
    loop,
    own: longestStretches(profile, join(extension.extensionPath, 'dist'), 5),
    seconds: (performance.now() - started) / 1000,
  };
  writeFileSync(join(folder, 'figures.json'), JSON.stringify(figures));
}

function bundleTime(bundle: string, folder: string): number {
  const copy = join(folder, 'extension.js');
  copyFileSync(bundle, copy);
  const started = performance.now();
  createRequire(bundle)(copy);
  return Math.round(100 * (performance.now() - started)) / 100;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(200);
}
