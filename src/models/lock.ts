/**
 * A lock between processes, as a file: at most one of them installs or removes a model at a time.
 *
 * The file is created exclusively and names its owner. The owner touches it every few seconds, so a
 * lock whose owner died (or whose machine did) is recognised: its process is gone, or nobody has
 * touched it for a minute of the waiter's own watching. A fixed age is not used, because after a
 * laptop has slept every lock looks old.
 */
import { hostname } from 'node:os';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, ModelError } from './errors';
import { randomName } from './files';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once, when somebody else holds the lock. */
  readonly onWait?: ((owner: string) => void) | undefined;
  /** Told each time that the lock is seen to be touched, or taken by another: its owner is alive. */
  readonly onTouch?: (() => void) | undefined;
  /** Milliseconds between two looks at a held lock. */
  readonly pollMs?: number;
  /** Milliseconds without a touch after which a lock counts as abandoned. */
  readonly staleMs?: number;
}

export interface Lock {
  /** @throws {ModelError} when another process has taken the lock over */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

const touchMs = 5_000;

/** Waits until the lock is free and takes it. Throws the signal's reason when aborted. */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const { signal, onWait, onTouch, pollMs = 300, staleMs = 60_000 } = options;
  const content = JSON.stringify({ pid: process.pid, host: hostname(), token: randomName() });
  await mkdir(dirname(path), { recursive: true });

  let seen: { content: string; touched: number; since: number } | undefined;
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    if (await createLock(path, content)) return holdLock(path, content);

    const found = await readLock(path);
    if (found === undefined) continue; // released between the two calls
    if (found.content !== seen?.content || found.touched !== seen.touched) {
      if (seen !== undefined) onTouch?.();
      seen = { ...found, since: performance.now() };
    }
    if (isOwnerDead(found.content) || performance.now() - seen.since > staleMs) {
      await breakLock(path, found.content);
      continue;
    }
    if (!told) {
      told = true;
      onWait?.(describeOwner(found.content));
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/**
 * Creates the lock with its content in one step (a link to a finished file), so that nobody reads
 * half of it.
 */
async function createLock(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${process.pid}-${randomName()}`;
  const file = await open(draft, 'wx');
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    // Some file systems have no links: create it directly there.
    return await createPlain(path, content);
  } finally {
    await rm(draft, { force: true });
  }
}

async function createPlain(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function holdLock(path: string, content: string): Lock {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, touchMs);
  timer.unref();
  return {
    assertHeld: async () => {
      if ((await readLock(path))?.content === content) return;
      throw new ModelError(
        'Another process took over while this one stood still. Run the command again to see where it stands.',
      );
    },
    release: async () => {
      clearInterval(timer);
      if ((await readLock(path))?.content === content) await rm(path, { force: true });
    },
  };
}

async function readLock(path: string): Promise<{ content: string; touched: number } | undefined> {
  try {
    const [content, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { content, touched: mtimeMs };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes an abandoned lock, and only that one: a fresh lock caught by mistake is put back. */
async function breakLock(path: string, abandoned: string): Promise<void> {
  const aside = `${path}.${process.pid}-${randomName()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    if ((await readFile(aside, 'utf8')) !== abandoned) await link(aside, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

function parseOwner(content: string): { pid: number; host: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    if (!('pid' in parsed) || !('host' in parsed)) return undefined;
    const { pid, host } = parsed;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    return typeof host === 'string' ? { pid, host } : undefined;
  } catch {
    return undefined;
  }
}

/** True only when it is certain: the owner ran on this machine and is no more. */
function isOwnerDead(content: string): boolean {
  const owner = parseOwner(content);
  if (owner?.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === 'ESRCH';
  }
}

function describeOwner(content: string): string {
  const owner = parseOwner(content);
  return owner === undefined ? 'another process' : `another process (${owner.pid})`;
}
