/** The package as a user gets it: built, installed into a clean profile, completing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Desk } from './harness/desk';

const MOST_BYTES = 60e6;
const MOST_BUNDLE_BYTES = 1e6;

describe('the package', () => {
  const vsix = join(process.cwd(), `dynamo-completion-${process.platform}-${process.arch}.vsix`);
  let desk: Desk;

  before(async () => {
    const packed = spawnSync(process.execPath, [join('scripts', 'package.mjs')], {
      encoding: 'utf8',
    });
    assert.equal(packed.status, 0, packed.stderr);
    assert.doesNotMatch(packed.stdout + packed.stderr, /WARN/i);
    desk = await Desk.open({
      files: { 'total.ts': 'export function add(a: number, b: number): number {\n' },
    });
    desk.server.install(desk.vscode, vsix);
  });

  after(() => desk.close());

  it('is small, and so is what is read at activation', () => {
    assert.ok(statSync(vsix).size < MOST_BYTES);
    assert.ok(statSync(join('dist', 'extension.js')).size < MOST_BUNDLE_BYTES);
  });

  it('completes in a clean profile', async () => {
    const window = await desk.window({});
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
