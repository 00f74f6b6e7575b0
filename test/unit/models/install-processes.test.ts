/** Installations in processes of their own, on one home. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { installModel } from '../../../src/models/install';
import { findInstalled, verifyInstalled } from '../../../src/models/installed';
import { modelDirectory } from '../../../src/models/paths';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import { sendFile, tinyId, TinyModel } from '../../fixtures/tiny-model';

describe('an installation in a process of its own', function () {
  this.timeout(60_000);
  let tiny: TinyModel;
  let script: BuiltFixture;
  before(() => {
    script = buildFixture('test/fixtures/installing.ts');
  });
  after(() => script.remove());
  beforeEach(async () => (tiny = await TinyModel.create()));
  afterEach(() => tiny.dispose());

  function start(): ChildProcess {
    const options = JSON.stringify(tiny.options());
    return spawn(process.execPath, [script.path, options], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async function installed(): Promise<void> {
    const model = await findInstalled(tiny.options());
    assert.ok(model);
    await verifyInstalled(model);
    assert.deepEqual(await readdir(modelDirectory(tiny.home, tinyId)), ['int8']);
  }

  it('beside another one downloads once; both succeed', async () => {
    // The first one has begun when it asks, and cannot end before the second one has been started.
    let go: (() => void) | undefined;
    const both = new Promise<void>((resolve) => (go = resolve));
    tiny.answer = (...request) => void both.then(() => sendFile(...request));
    const children = [start(), start()];
    setTimeout(() => go?.(), 500);
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0]));
    assert.deepEqual(codes, [0, 0]);
    assert.equal(tiny.requests.length, 1);
    await installed();
  });

  it('killed in its download leaves a lock and a part that the next one takes over', async () => {
    const half = tiny.gguf.length >> 1;
    const answered = new Promise<void>((resolve) => {
      tiny.answer = (response, content) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, half), () => resolve());
      };
    });
    const child = start();
    await answered;
    const part = join(tiny.home, 'downloads', `${tiny.sha256}.part`);
    while (!(await holds(part, half))) await new Promise((done) => setTimeout(done, 10));
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.equal(await findInstalled(tiny.options()), undefined);
    tiny.answer = sendFile;
    await installModel(tiny.options());
    await installed();
    assert.deepEqual(tiny.requests, [0, half]);
  });
});

async function holds(path: string, bytes: number): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.size === bytes;
}
