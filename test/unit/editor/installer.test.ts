/** Installing models from the editor, without a network and without a model. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildParts, type BuiltParts } from './build';

const ID = 'smollm2-135m';

describe('an installation from the editor', () => {
  let built: BuiltParts;
  let home: string;
  let installer: { dispose(): void } | undefined;

  before(async () => {
    built = await buildParts();
    home = mkdtempSync(join(tmpdir(), 'dynamo-home-'));
  });

  after(() => {
    built.remove();
    rmSync(home, { recursive: true, force: true });
  });

  afterEach(() => installer?.dispose());

  /** Every installation lasts until it is cancelled, or the test ends it. */
  function begin() {
    const { engine, Installer, vscode } = built.parts;
    vscode.open('');
    vscode.configure('dynamo.home', home);
    const begun: (() => void)[] = [];
    engine.script.install = (signal) =>
      new Promise((end, fail) => {
        begun.push(end);
        signal.addEventListener('abort', () => fail(new Error('Cancelled.')));
      });
    const log = { info: () => undefined, error: () => undefined };
    const session = { suite: resolve('models'), worker: '', log };
    const states: string[] = [];
    const told = (name: string) => () => states.push(name);
    const listening = { installing: told('installing'), installed: told('installed') };
    installer = new Installer({
      ...session,
      ...listening,
      installationFailed: told('failed'),
    } as never);
    const install = () => void vscode.runCommand('dynamo.installModel', ID);
    const until = async (fits: () => boolean) => {
      for (let tries = 0; tries < 200 && !fits(); tries += 1) {
        await new Promise((done) => setTimeout(done, 5));
      }
      assert.ok(fits());
    };
    return { vscode, begun, states, install, until };
  }

  it('is one at a time, however quickly the command comes again', async () => {
    const { vscode, begun, install, until } = begin();
    install();
    install();
    await until(() => vscode.script.told.some((told) => told.includes('installed already')));
    await until(() => begun.length > 0);
    assert.equal(begun.length, 1);
  });

  it('is the one that is cancelled, and makes room for the next', async () => {
    const { vscode, begun, states, install, until } = begin();
    install();
    install();
    await until(() => begun.length > 0);
    await vscode.runCommand('dynamo.cancelInstallation');
    await until(() => states.at(-1) === 'installed');
    assert.equal(vscode.script.contexts['dynamo.installing'], false);
    install();
    await until(() => begun.length === 2);
    begun[1]?.();
    await until(() => vscode.script.contexts['dynamo.installed'] === true);
  });

  it('leaves the model as it was chosen, where another one is being installed', async () => {
    const { vscode, begun, install, until } = begin();
    install();
    await until(() => begun.length > 0);
    vscode.script.pick = (items) => items[0];
    void vscode.runCommand('dynamo.chooseModel');
    await until(() => vscode.script.told.some((told) => told.includes('installed already')));
    assert.equal(vscode.script.settings['dynamo.model'], undefined);
  });
});
