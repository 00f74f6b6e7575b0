/** Accepting the next step of what is shown, whoever suggests it. */
import assert from 'node:assert/strict';
import type { Suggestion } from '../../../src/completion/suggestion';
import { buildParts, type BuiltParts } from './build';

const WORD = 'editor.action.inlineSuggest.acceptNextWord';

describe('accepting a step', () => {
  let built: BuiltParts;
  let command: { dispose(): void } | undefined;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());
  afterEach(() => command?.dispose());

  /**
   * @param ours what DynaMo suggests at the cursor; `·` ends a step
   * @param word what VS Code takes of the suggestion that it shows
   */
  async function accept(text: string, ours: readonly string[], word: string, replace = 0) {
    const { registerAcceptStep, vscode } = built.parts;
    vscode.open(text);
    const shown = ours.map((steps): Suggestion => {
      let end = 0;
      const boundaries = steps.split('·').map((step) => (end += step.length));
      const context = { prefix: text.split('|')[0] ?? '', suffix: '', language: 'python' };
      return { context, text: steps.replaceAll('·', ''), replace, boundaries, open: false };
    });
    let refreshed = 0;
    const refresh = () => Promise.resolve((refreshed += 1));
    command = registerAcceptStep({ shownAt: () => shown, refresh } as never);
    vscode.script.run = (id) => {
      const { active } = vscode.window.activeTextEditor?.selection ?? {};
      if (id === WORD && active) vscode.insert(vscode.document.offsetAt(active), word);
    };
    await vscode.runCommand('dynamo.acceptNextStep');
    return { text: vscode.document.getText(), refreshed };
  }

  const cases: [name: string, ours: string[], word: string, text: string][] = [
    ['takes all of a step that is longer than a word', ['return a· + b'], 'return', 'return a'],
    ['takes no more than a step that is shorter than a word', ['re·turn· a'], 'return', 're'],
    ['takes a step that is a word', ['return· a'], 'return', 'return'],
    ['takes no more than a step of the last word', ['re·turn'], 'return', 're'],
    [
      'takes a step of the suggestion that is shown',
      ['return· a', 'yield a· + b'],
      'yield',
      'yield a',
    ],
    ['takes a word of another extension’s suggestion', ['return a· + b'], 'raise', 'raise'],
    ['takes nothing where nothing is shown', ['return a· + b'], '', ''],
  ];
  for (const [name, ours, word, text] of cases) {
    it(name, async () => {
      const { text: now } = await accept('x\n|', ours, word);
      assert.equal(now, `x\n${text}`);
    });
  }

  it('takes the end of a suggestion as it is, where that has replaced what stood there', async () => {
    assert.equal((await accept('f(|', ['"·)'], '")', 2)).text, 'f(")');
  });

  it('asks again only where the suggestion was its own', async () => {
    assert.equal((await accept('|', ['return a· + b'], 'return')).refreshed, 1);
    command?.dispose();
    assert.equal((await accept('|', ['return a· + b'], 'raise')).refreshed, 0);
  });
});
