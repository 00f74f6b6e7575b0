/** The package as a user gets it: built, installed into a clean profile, completing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { installVsCode } from './harness/install';
import { EditorServer } from './harness/server';
import { EditorWindow, launchBrowser } from './harness/window';

const MOST_BYTES = 60e6;
const MOST_BUNDLE_BYTES = 1e6;

describe('the package', () => {
  const vsix = join(process.cwd(), `dynamo-completion-${process.platform}-${process.arch}.vsix`);
  let server: EditorServer;
  let browser: Browser;

  before(async () => {
    const { vscode, browser: path } = installVsCode('.cache');
    const packed = spawnSync(process.execPath, [join('scripts', 'package.mjs')], {
      encoding: 'utf8',
    });
    assert.equal(packed.status, 0, packed.stderr);
    assert.doesNotMatch(packed.stdout + packed.stderr, /WARN/i);
    server = await EditorServer.start({ vscode });
    server.install(vscode, vsix);
    server.write('total.ts', 'export function add(a: number, b: number): number {\n');
    browser = await launchBrowser(path);
  });

  after(async () => {
    await browser.close();
    await server.stop();
  });

  it('is small, and so is what is read at activation', () => {
    assert.ok(statSync(vsix).size < MOST_BYTES);
    assert.ok(statSync(join('dist', 'extension.js')).size < MOST_BUNDLE_BYTES);
  });

  it('completes in a clean profile', async () => {
    const window = await EditorWindow.open(browser, server, {});
    await window.openFile('total.ts');
    await window.type('  return a');
    const ghost = await window.untilGhostText();
    await window.screenshot('typescript-installed-package');
    assert.match(ghost, /\+ b/);
    await window.press('Control+ArrowRight');
    await window.untilFile('total.ts', (text) => text.includes('return a '));
    await window.press('Tab');
    await window.untilFile('total.ts', (text) => /return a \+ b/.test(text));
    assert.deepEqual(window.errors, []);
  });
});
