/**
 * Runs a program in a Python subprocess under limits and says whether it ran to its end.
 *
 * The child gets an empty working directory, no environment to speak of, closed standard input, and
 * a process group of its own that is killed whole. runner.py sets the limits inside. It needs a
 * POSIX system. Knows nothing of tasks.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve as absolute } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

export interface Verdict {
  readonly verdict: 'passed' | 'failed' | 'timeout';
  /** The program's error in one line; empty when it passed. */
  readonly detail: string;
}

export interface Limits {
  /** Wall clock, ms. */
  readonly wallMs: number;
  readonly cpuSeconds: number;
  /** Address space, bytes. */
  readonly memoryBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  wallMs: 10_000,
  cpuSeconds: 10,
  memoryBytes: 1024 ** 3,
};

/** Characters of a child's error output that are kept. */
const DETAIL = 2000;

export interface Evaluator {
  evaluate(program: string): Promise<Verdict>;
}

/**
 * @param runner path of runner.py
 * @throws when the runner is missing or there is no working `python3`
 */
export async function createEvaluator(
  runner: string,
  limits: Limits = DEFAULT_LIMITS,
): Promise<Evaluator> {
  const path = absolute(runner);
  await access(path);
  const python = await interpreter();
  return { evaluate: (program) => evaluate(python, path, program, limits) };
}

/** The real interpreter behind `python3`, which may be a wrapper that needs an environment. */
async function interpreter(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('python3', [
      '-I',
      '-c',
      'import resource, sys; print(sys.executable)',
    ]);
    return stdout.trim();
  } catch (error) {
    throw new Error('Evaluation needs python3 on a Linux or macOS system; install it first.', {
      cause: error,
    });
  }
}

async function evaluate(
  python: string,
  runner: string,
  program: string,
  limits: Limits,
): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'infilling-'));
  try {
    return await run(python, runner, program, limits, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function run(
  python: string,
  runner: string,
  program: string,
  limits: Limits,
  cwd: string,
): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const token = randomBytes(16).toString('hex');
    const child = spawn(python, ['-I', '-B', runner], {
      cwd,
      env: { LANG: 'C.UTF-8' },
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    });
    let late = false;
    let errors = '';
    let answer = '';
    const killGroup = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is gone already.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      killGroup();
    }, limits.wallMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`Cannot start ${python}: ${error.message}`));
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-DETAIL);
    });
    const verdicts = child.stdio[3] as Readable;
    verdicts.setEncoding('utf8').on('data', (chunk: string) => {
      answer = (answer + chunk).slice(0, token.length + 1);
    });
    // A grandchild could keep the pipes open: `exit` ends the group, and so `close` follows.
    child.on('exit', killGroup);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const last = errors.trim().split('\n').at(-1) ?? '';
      if (late || signal === 'SIGXCPU' || (signal === 'SIGKILL' && last === '')) {
        resolve({ verdict: 'timeout', detail: late ? 'wall clock' : 'processor time' });
      } else if (code === 0 && answer === token) {
        resolve({ verdict: 'passed', detail: '' });
      } else {
        const ending = signal ?? `exit ${String(code)}`;
        resolve({ verdict: 'failed', detail: last || `ended early (${ending})` });
      }
    });
    // A child that dies early breaks this pipe; its end says why.
    child.stdin?.on('error', () => undefined);
    const { cpuSeconds, memoryBytes } = limits;
    child.stdin?.end(JSON.stringify({ program, token, cpuSeconds, memoryBytes }));
  });
}
