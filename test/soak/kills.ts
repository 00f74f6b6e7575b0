/**
 * Kills the engine's process at random moments, again and again, and checks what the parent is left
 * with: every request ended, no process remains, no memory leaks.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from '../../src/engine/client';
import { EngineError, type ErrorCode } from '../../src/engine/errors';
import type { ModelFiles } from '../../src/engine/protocol';
import { RESTART_LIMITS, RestartPolicy } from '../../src/engine/restart-policy';
import { randomFrom } from '../fuzz/mutate';

export interface SoakOptions {
  readonly worker: string;
  readonly model: ModelFiles;
  readonly kills: number;
  readonly seed: number;
  /**
   * The latest moment of a kill after the requests were made, ms. Twice the time of loading unless
   * given, so that about half of the kills meet an engine at work.
   */
  readonly withinMs?: number;
  /** Awaited before the next kill. */
  readonly onKill?: (report: SoakReport) => void | Promise<void>;
}

export interface SoakReport {
  kills: number;
  requests: number;
  results: number;
  readonly errors: Partial<Record<ErrorCode, number>>;
  /** What should not have happened. */
  readonly failures: string[];
  /** The most that a request took beyond its deadline, ms. */
  latestMs: number;
  /** Resident memory of this process after a tenth of the kills, and at the end, bytes. */
  memory: { early: number; last: number };
}

const DEADLINE_MS = 3_000;
/** How a request may end when its process is killed. */
const EXPECTED: readonly ErrorCode[] = ['crashed', 'deadline', 'cancelled'];
const SIGNALS = ['SIGKILL', 'SIGSEGV'] as const;
/** How long the system may take to clear a dead process away, ms. */
const REAPED_MS = 10_000;

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { model, kills, seed } = options;
  const folder = mkdtempSync(join(tmpdir(), 'dynamo-soak-'));
  const pidFile = join(folder, 'pid');
  const worker = join(folder, 'worker.cjs');
  // Renamed into its place: a file read while it is empty would say 0, and that is every process of
  // this one's group.
  const record = [
    "const { renameSync, writeFileSync } = require('fs');",
    `writeFileSync(${JSON.stringify(`${pidFile}.new`)}, String(process.pid));`,
    `renameSync(${JSON.stringify(`${pidFile}.new`)}, ${JSON.stringify(pidFile)});`,
  ];
  writeFileSync(worker, [...record, `require(${JSON.stringify(options.worker)});`, ''].join('\n'));
  const engine = new Engine({
    worker,
    policy: new RestartPolicy({
      ...RESTART_LIMITS,
      firstDelayMs: 1,
      maxCrashes: Infinity,
      windowMs: 1,
    }),
  });
  const random = randomFrom(seed);
  const report: SoakReport = {
    ...{ kills: 0, requests: 0, results: 0, errors: {}, failures: [], latestMs: -Infinity },
    memory: { early: 0, last: 0 },
  };
  try {
    const began = performance.now();
    await engine.load(model, { threads: 2 });
    const withinMs = options.withinMs ?? 2 * (performance.now() - began);
    for (let n = 0; n < kills; n++) {
      const asked = Array.from({ length: 1 + Math.floor(3 * random()) }, () =>
        ask(engine, random, report),
      );
      await sleep(withinMs * random());
      const pid = Number(readFileSync(pidFile, 'utf8'));
      kill(pid, random() < 0.5 ? SIGNALS[0] : SIGNALS[1]);
      report.kills++;
      await Promise.all(asked);
      if (!(await isGone(pid))) report.failures.push(`Process ${pid} is still there.`);
      if (n === Math.floor(kills / 10)) report.memory.early = process.memoryUsage().rss;
      await options.onKill?.(report);
    }
    // Whatever happened, it works as ever.
    const request = { ...DECODING, chat: false, deadlineMs: 120_000 };
    const last = await engine.generate({ ...request, prompt: 'One, two, three,' });
    if (last.tokens === 0) report.failures.push('The last request had no result.');
    report.memory.last = process.memoryUsage().rss;
  } finally {
    await engine.dispose();
    const pid = Number(readFileSync(pidFile, 'utf8'));
    if (!(await isGone(pid))) report.failures.push(`Process ${pid} outlived the engine.`);
    rmSync(folder, { recursive: true });
  }
  return report;
}

const DECODING = { maxTokens: 200, mode: 'exact', epsilon: 0.5, deadlineMs: DEADLINE_MS } as const;

/** Makes a request and records how it ends; it never rejects. */
async function ask(engine: Engine, random: () => number, report: SoakReport): Promise<void> {
  const text = 'The keeper climbed the stairs and lit the lamp. '.repeat(
    1 + Math.floor(40 * random()),
  );
  const started = performance.now();
  report.requests++;
  try {
    if (random() < 0.5) await engine.generate({ ...DECODING, chat: false, prompt: text });
    else {
      const cursor = { prefix: text, suffix: '\n', language: 'markdown' };
      await engine.complete({ ...DECODING, ...cursor, multiline: true, raw: true });
    }
    report.results++;
  } catch (error) {
    if (!(error instanceof EngineError) || !EXPECTED.includes(error.code)) {
      report.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return;
    }
    report.errors[error.code] = (report.errors[error.code] ?? 0) + 1;
  } finally {
    report.latestMs = Math.max(report.latestMs, performance.now() - started - DEADLINE_MS);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  if (!(pid > 1)) throw new Error(`${pid} is no process of the engine.`);
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It may just have ended by itself, and the next one not have said its number yet.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Whether the process is gone, as a zombie is not. */
async function isGone(pid: number): Promise<boolean> {
  for (const until = performance.now() + REAPED_MS; performance.now() < until; await sleep(5)) {
    try {
      process.kill(pid, 0);
      if (process.platform === 'linux' && !existsSync(`/proc/${pid}`)) return true;
    } catch {
      return true;
    }
  }
  return false;
}
