/** Completions as a user meets them, in a real VS Code with the real 0.5B model. */
import assert from 'node:assert/strict';
import { Desk } from './harness/desk';
import type { EditorWindow } from './harness/window';

const PYTHON = `def add(a, b):
    """The sum of a and b."""
    return a + b


def subtract(a, b):
    """The difference of a and b."""
`;

describe('completions in a real editor', () => {
  let desk: Desk;
  let window: EditorWindow;

  before(async () => {
    desk = await Desk.open({ files: { 'sum.py': PYTHON } });
    window = await desk.window();
  });

  after(() => desk.close());

  it('shows a suggestion while one types in a Python file', async () => {
    await window.openFile('sum.py');
    await window.type('    re');
    const ghost = await window.untilGhostText();
    await window.screenshot('python-ghost-text');
    assert.equal(ghost, 'turn a - b');
  });

  it('goes on showing it while one types as suggested, without asking again', async () => {
    await window.type('turn');
    assert.equal(await window.untilGhostText((text) => text === ' a - b'), ' a - b');
  });

  it('takes it back when one types something else, and brings it back with backspace', async () => {
    await window.type('x');
    await window.until(
      'other text',
      () => window.ghostText(),
      (text) => text !== ' a - b',
    );
    await window.press('Backspace');
    await window.untilGhostText((text) => text === ' a - b');
  });

  it('accepts the next step, several tokens at once, and keeps the rest on screen', async () => {
    await window.press('Alt+ArrowRight');
    const text = await window.untilFile('sum.py', (file) => / {4}return [^x].*$/.test(file));
    const rest = await window.untilGhostText((ghost) => ghost !== '' && ghost !== ' a - b');
    await window.screenshot('python-accepted-step');
    const start = `${PYTHON}    return`;
    assert.ok(text.startsWith(start));
    assert.equal(text.slice(start.length) + rest, ' a - b');
  });

  it('accepts all with Tab', async () => {
    await window.press('Tab');
    await window.untilFile('sum.py', (file) => file === `${PYTHON}    return a - b`);
    await window.untilSaved(); // A change before that would not be saved.
  });

  it('takes an acceptance back with undo', async () => {
    await window.press('Control+z');
    await window.untilFile('sum.py', (file) => !file.endsWith('a - b'));
  });
});
