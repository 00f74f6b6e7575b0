/** Ten windows at once, each with an engine of its own on the same installed model. */
import assert from 'node:assert/strict';
import { Desk } from './harness/desk';
import { enginesOf } from './harness/engines';
import type { EditorServer } from './harness/server';
import type { EditorWindow } from './harness/window';

const WINDOWS = 10;

describe('ten windows', () => {
  let desk: Desk;
  let server: EditorServer;
  const windows: EditorWindow[] = [];

  before(async () => {
    // The small model: ten of the others would fill the memory.
    const settings = { 'dynamo.model': 'smollm2-135m', 'dynamo.threads': 1 };
    desk = await Desk.open({ settings });
    server = desk.server;
  });

  after(() => desk.close());

  it('open, and start no engine before somebody types', async () => {
    for (let n = 0; n < WINDOWS; n += 1) {
      server.write(`window${n}.md`, 'The capital of France is Paris. ');
      windows.push(await desk.window());
    }
    assert.deepEqual(enginesOf(server), []);
  });

  it('each complete, and none loses a key', async () => {
    for (const [n, window] of windows.entries()) {
      await window.page.bringToFront();
      await window.openFile(`window${n}.md`);
      await window.type('The capital of Italy ');
    }
    for (const [n, window] of windows.entries()) {
      await window.page.bringToFront();
      await window.type('is');
      await window.untilGhostText();
      const text = await window.untilFile(`window${n}.md`, (file) => file.endsWith(' is'));
      assert.equal(text, 'The capital of France is Paris. The capital of Italy is');
    }
    await windows[0]?.screenshot('ten-windows');
    // One of them may have a process beside it that prepares the model for this processor.
    await windows[0]?.until(
      'ten engines',
      () => enginesOf(server).length,
      (count) => count === WINDOWS,
    );
  });

  it('say how they are, and have thrown nothing', async () => {
    for (const window of windows) {
      assert.match(await window.status(), /smollm2-135m on the CPU/);
      assert.deepEqual(window.errors, []);
    }
    assert.doesNotMatch(server.log(), /\[error\]/);
  });

  it('take their engines with them when they end', async () => {
    const [first] = windows;
    assert.ok(first);
    await first.page.bringToFront();
    await first.command('Developer: Reload Window');
    await first.until(
      'one engine less',
      () => enginesOf(server).length,
      (count) => count === WINDOWS - 1,
    );
  });
});
