import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelError } from '../../../src/models/errors';
import { acquireLock } from '../../../src/models/lock';

describe('acquireLock', function () {
  this.timeout(30_000);
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dynamo-lock-'));
    path = join(folder, 'deep', '.lock');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const quick = { pollMs: 5 };
  /** A process id that belonged to a process that has ended. */
  const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;
  const lockOf = (pid: number, host = hostname()) =>
    JSON.stringify({ pid, host, token: 'somebody' });

  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const visit = async () => {
      const lock = await acquireLock(path, quick);
      most = Math.max(most, ++inside);
      await new Promise((done) => setTimeout(done, 3));
      await lock.assertHeld();
      inside--;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 8 }, visit));
    assert.equal(most, 1);
    assert.deepEqual(await readdir(join(folder, 'deep')), []);
  });

  it('says once whom it waits for, and stops waiting when aborted', async () => {
    const lock = await acquireLock(path);
    const controller = new AbortController();
    const told: string[] = [];
    const waiting = acquireLock(path, {
      ...quick,
      signal: controller.signal,
      onWait: (owner) => void told.push(owner),
    });
    setTimeout(() => controller.abort(new Error('no patience')), 40);
    await assert.rejects(waiting, /no patience/);
    assert.deepEqual(told, [`another process (${process.pid})`]);
    await lock.assertHeld();
    await lock.release();
  });

  it('says when the owner touches the lock, and not before', async () => {
    const lock = await acquireLock(path);
    const controller = new AbortController();
    let touches = 0;
    const onTouch = () => {
      touches++;
      controller.abort(new Error('it lives'));
    };
    const waiting = acquireLock(path, { ...quick, signal: controller.signal, onTouch });
    waiting.catch(() => undefined);
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(touches, 0);
    await utimes(path, new Date(), new Date());
    await assert.rejects(waiting, /it lives/);
    assert.equal(touches, 1);
    await lock.release();
  });

  it('takes over from a process that is no more', async () => {
    await (await acquireLock(path)).release();
    await writeFile(path, lockOf(deadPid()));
    const lock = await acquireLock(path, quick);
    await lock.assertHeld();
    await lock.release();
  });

  it('takes over what nobody touches: damaged locks, and those of other machines', async () => {
    await (await acquireLock(path)).release();
    for (const content of ['', '{', lockOf(1, 'elsewhere'), lockOf(process.pid)]) {
      await writeFile(path, content);
      const lock = await acquireLock(path, { ...quick, staleMs: 30 });
      await lock.release();
    }
  });

  it('waits for an owner who still touches the lock, however old it looks', async () => {
    await (await acquireLock(path)).release();
    await writeFile(path, lockOf(1, 'elsewhere'));
    const old = new Date(Date.now() - 1e9);
    await utimes(path, old, old);
    const touching = setInterval(() => void utimes(path, new Date(), new Date()), 10);
    try {
      const signal = AbortSignal.timeout(1_500);
      await assert.rejects(acquireLock(path, { pollMs: 5, staleMs: 1_000, signal }));
      assert.equal(await readFile(path, 'utf8'), lockOf(1, 'elsewhere'));
    } finally {
      clearInterval(touching);
    }
  });

  it('notices when it was taken over, and leaves the new lock alone', async () => {
    const lock = await acquireLock(path);
    await writeFile(path, lockOf(1));
    await assert.rejects(lock.assertHeld(), ModelError);
    await lock.release();
    assert.equal(await readFile(path, 'utf8'), lockOf(1));
  });
});
