/** Ten windows at once, each with an engine of its own on the same installed model. */
import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import { enginesOf } from './harness/engines';
import { installVsCode } from './harness/install';
import { EditorServer } from './harness/server';
import { EditorWindow, launchBrowser } from './harness/window';

const WINDOWS = 10;

describe('ten windows', () => {
  let server: EditorServer;
  let browser: Browser;
  const windows: EditorWindow[] = [];

  before(async () => {
    const { vscode, browser: path } = installVsCode('.cache');
    // The small model: ten of the others would fill the memory.
    const settings = { 'dynamo.model': 'smollm2-135m', 'dynamo.threads': 1 };
    server = await EditorServer.start({ vscode, settings });
    browser = await launchBrowser(path);
  });

  after(async () => {
    await browser.close();
    await server.stop();
  });

  it('open, and start no engine before somebody types', async () => {
    for (let n = 0; n < WINDOWS; n += 1) {
      server.write(`window${n}.md`, 'The capital of France is Paris. ');
      windows.push(await EditorWindow.open(browser, server, { extension: process.cwd() }));
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
    assert.equal(enginesOf(server).length, WINDOWS);
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
