/** What goes wrong, and what the user sees of it: a state in the status item, and typing that goes on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataDirectory } from '../../src/models/paths';
import { Desk } from './harness/desk';
import { enginesOf } from './harness/engines';
import type { EditorServer } from './harness/server';
import type { EditorWindow } from './harness/window';

const MODEL = join('models', 'qwen2.5-coder-0.5b', 'int8');

/** Nobody listens there: whoever wants to leave this machine is refused, downloads and pip alike. */
const NOWHERE = 'http://127.0.0.1:9';
const NO_NETWORK = {
  ...{ HTTP_PROXY: NOWHERE, HTTPS_PROXY: NOWHERE, http_proxy: NOWHERE, https_proxy: NOWHERE },
  ...{ NO_PROXY: 'localhost', no_proxy: 'localhost', PIP_PROXY: NOWHERE },
  ...{ PIP_INDEX_URL: NOWHERE, PIP_RETRIES: '0', PIP_CONFIG_FILE: '/dev/null' },
};
/** A disk so small that no model fits. */
const DISK_MB = 48;

describe('trouble', () => {
  let desk: Desk;
  let server: EditorServer;
  let window: EditorWindow;
  let home: string;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'dynamo-home-'));
    const env = { DYNAMO_HOME: home, ...NO_NETWORK };
    const settings = { 'http.proxy': NOWHERE };
    desk = await Desk.open({ env, settings, files: { 'a.py': 'def add(a, b):\n' } });
    server = desk.server;
    window = await desk.window();
  });

  after(async () => {
    await desk.close();
    rmSync(home, { recursive: true, force: true });
  });

  /** Hard links, so that a whole model costs nothing and can be deleted. */
  function bringModel(): void {
    const from = join(dataDirectory(), MODEL);
    const to = join(home, MODEL);
    mkdirSync(to, { recursive: true });
    // Not what was prepared for this processor: it is made again.
    const entries = readdirSync(from, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isFile())) {
      try {
        linkSync(join(from, name), join(to, name));
      } catch {
        cpSync(join(from, name), join(to, name)); // Another disk.
      }
    }
  }

  async function typed(text: string): Promise<void> {
    await window.type(text);
    await window.untilFile('a.py', (file) => file.includes(text.trim()));
  }

  /** From the menu of a failure: downloads the small model. */
  async function tryAgain(): Promise<void> {
    await window.clickStatus();
    await window.pick('Install the model again');
    await window.pick('SmolLM2 135M');
    await window.openFile('a.py');
  }

  it('without a model: says so, offers to install it, and typing goes on', async () => {
    await window.openFile('a.py');
    await typed('    # one');
    await window.untilStatus(/not installed/);
    await window.screenshot('model-missing');
  });

  it('starts once the model is there', async () => {
    bringModel();
    await window.command('DynaMo: Restart Engine');
    await window.untilStatus(/on the CPU/);
    await window.press('Enter');
    await window.type('re');
    await window.untilGhostText();
  });

  it('starts again when the engine is killed while it works', async () => {
    await window.press('Escape');
    await window.type('turn a ');
    for (const pid of enginesOf(server)) process.kill(pid, 'SIGKILL');
    await typed('+ b  # two');
    await window.untilStatus(/on the CPU/);
    await window.press('Enter');
    await window.press('Enter');
    await window.type('def sub');
    await window.untilGhostText();
    assert.equal(window.errors.length, 0, window.errors.join('\n'));
  });

  it('says so when the model is deleted', async () => {
    rmSync(join(home, MODEL), { recursive: true });
    await window.command('DynaMo: Restart Engine');
    await window.untilStatus(/not installed/);
    await window.press('Escape');
    await typed('  # three');
  });

  it('says what to do when an installation fails', async () => {
    await window.command('DynaMo: Install Model from File');
    await window.pick('SmolLM2 135M');
    const input = window.page.locator('.quick-input-widget .quick-input-box input');
    // The dialog shows the user's folder before it takes another one.
    await window.page.locator('.quick-input-widget:has-text("Ollama")').waitFor();
    await window.page.locator('.quick-input-list .monaco-list-row').nth(1).waitFor();
    await input.fill(join(server.workspace, 'a.py'));
    await window.page.locator('.quick-input-list .monaco-list-row:has-text("a.py")').waitFor();
    await window.page.locator('.quick-input-widget .monaco-button:has-text("Install")').click();
    await window.untilStatus(/is not the file that SmolLM2 135M is made of/);
    await window.screenshot('install-failed');
    assert.ok(!existsSync(join(home, 'models', 'smollm2-135m', 'int8')));
  });

  it('says so when the network is gone', async () => {
    await tryAgain();
    await window.untilStatus(/could not be downloaded/);
    await window.screenshot('network-gone');
    await typed('  # four');
    assert.ok(!existsSync(join(home, 'models', 'smollm2-135m', 'int8')));
  });

  it('asks before it fetches what a GPU needs, and says so when it cannot', async () => {
    const dialog = window.page.locator('.monaco-dialog-box');
    const fetchFiles = async (answer: string) => {
      await window.command('DynaMo: Fetch CUDA Files');
      await dialog.filter({ hasText: 'pip downloads' }).waitFor();
      await window.screenshot('fetch-cuda-files');
      await dialog.locator('.monaco-button').filter({ hasText: answer }).click();
      await dialog.waitFor({ state: 'detached' });
    };
    await fetchFiles('Cancel');
    assert.ok(!existsSync(join(home, 'cuda')));
    await fetchFiles('Fetch');
    await window.until(
      'what went wrong',
      () => window.notifications(),
      (messages) => messages.some((text) => /onnxruntime-gpu .* could not be fetched/.test(text)),
    );
  });

  it('says so when the disk is full', async function () {
    // The folder of models becomes a disk of its own, where the system lets us.
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'none', home]);
    if (mount.status !== 0) this.skip();
    try {
      await tryAgain();
      await window.untilStatus(/of free space/);
      await window.screenshot('disk-full');
      await typed('  # five');
    } finally {
      spawnSync('umount', [home]);
    }
  });

  it('has thrown nothing', () => {
    assert.deepEqual(window.errors, []);
    assert.doesNotMatch(server.hostLog().replaceAll(process.cwd(), ''), /\[error\].*dynamo/i);
  });
});
