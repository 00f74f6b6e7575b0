/** The user's settings, as they are read and written. */
import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildParts, type BuiltParts } from './build';

describe('settings', () => {
  let built: BuiltParts;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());
  beforeEach(() => built.parts.vscode.open(''));

  const cases: [home: string, folder: string][] = [
    ['~', homedir()],
    ['~/models', join(homedir(), 'models')],
    ['models', join(homedir(), 'models')],
    ['./~x', join(homedir(), '~x')],
    [resolve('/somewhere'), resolve('/somewhere')],
  ];
  for (const [home, folder] of cases) {
    it(`name ${folder} as ${home}`, async () => {
      const { settings, vscode } = built.parts;
      vscode.configure('dynamo.home', home);
      assert.equal(await settings.dataHome(), folder);
    });
  }

  it('say whether suggestions are shown in a document', () => {
    const { settings, vscode } = built.parts;
    assert.equal(settings.inlineSuggestionsShown(), true);
    vscode.script.settings['editor.inlineSuggest.enabled'] = { language: false };
    assert.equal(settings.inlineSuggestionsShown(vscode.document as never), false);
  });

  it('are those of the model again when they are reset, wherever they were set', async () => {
    const { resetSettings, vscode } = built.parts;
    vscode.script.settings['dynamo.epsilon'] = { global: 0.3, workspace: 0.4 };
    vscode.script.settings['dynamo.mode'] = { global: 'fast' };
    await resetSettings();
    const left = Object.values(vscode.script.settings).flatMap((values) => Object.values(values));
    assert.deepEqual(
      left.filter((value) => value !== undefined),
      [],
    );
  });
});
