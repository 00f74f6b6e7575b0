/** What users do around a suggestion, in a real VS Code with the real 0.5B model. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Desk } from './harness/desk';
import type { EditorServer } from './harness/server';
import type { EditorWindow } from './harness/window';

const GREET = `def greet(name):
    """A friendly sentence for somebody."""
`;
const AREA = `def area(width, height):
    return width * height


def perimeter(width, height):
`;
/** Several lines are to follow. */
const COUNT = `def count_words(text):
    """How often each word stands in the text, as a dictionary."""
`;
/** Long enough for a suggestion to appear where one is due, on a machine that is not overrun. */
const LONG_MS = 1500;

describe('around a suggestion', () => {
  let desk: Desk;
  let server: EditorServer;
  let window: EditorWindow;

  before(async () => {
    desk = await Desk.open({ files: { 'greet.py': GREET, 'area.py': AREA, 'count.py': COUNT } });
    server = desk.server;
    window = await desk.window();
  });

  after(() => desk.close());

  /** What is shown though nothing should be. */
  async function nothingShown(): Promise<void> {
    await sleep(LONG_MS);
    assert.equal(await window.ghostText(), '');
  }

  it('shows the first line before the rest, and the rest without a key', async () => {
    await window.openFile('count.py');
    await window.type('    ');
    const seen: string[] = [];
    const whole = await window.until(
      'several lines',
      async () => {
        const ghost = await window.ghostText();
        if (ghost !== '' && ghost !== seen.at(-1)) seen.push(ghost);
        return ghost;
      },
      // Meanwhile the page may have the lines below, and not yet the first one.
      (ghost) => ghost.trim().split('\n').length > 1 && !ghost.startsWith('\n'),
    );
    await window.screenshot('several-lines');
    const [first = ''] = seen;
    assert.equal(first.trim().split('\n').length, 1, seen.join('\n---\n'));
    assert.ok(whole.startsWith(first.trimEnd()));
    assert.equal(server.read('count.py').trimEnd(), COUNT.trimEnd());
  });

  it('accepts all lines with Tab, and one undo takes them back', async () => {
    let shown = '';
    // While the rest joins the first line, the screen shows some of either.
    await window.until(
      'all lines at rest',
      async () => {
        const before = shown;
        await sleep(500);
        shown = await window.ghostText();
        return shown === before;
      },
      (still) => still,
    );
    await window.untilSaved();
    const before = server.read('count.py');
    await window.press('Tab');
    const text = await window.untilFile('count.py', (file) => file.includes('return'));
    assert.ok(text.startsWith(before), text);
    assert.equal(text.slice(before.length), shown);
    await window.press('Control+z');
    await window.untilGhostText((ghost) => ghost === shown);
  });

  it('hides a suggestion with Escape, and leaves the document alone', async () => {
    await window.openFile('area.py');
    await window.type('    ret');
    await window.untilGhostText();
    await window.press('Escape');
    await nothingShown();
    assert.equal(server.read('area.py'), `${AREA}    ret`);
  });

  it('does not bring the rest of a suggestion back that was hidden with Escape', async () => {
    await window.openFile('count.py');
    await window.press('Control+End');
    await window.type('\n\ndef count_letters(text):');
    await window.press('Enter');
    await window.untilGhostText();
    await window.press('Escape');
    await nothingShown();
  });

  it('offers a second suggestion to who asks for it', async () => {
    await window.openFile('greet.py');
    await window.type('    ');
    await window.command('DynaMo: Suggest Now');
    const first = await window.untilGhostText();
    // The second one is worked out behind the first.
    const cycle = (key: string, fits: (ghost: string) => boolean) =>
      window.until(
        'another suggestion',
        async () => {
          await window.press(key);
          // One key after the other: on a busy machine they queue up.
          await window.page.waitForTimeout(500);
          return await window.ghostText();
        },
        fits,
      );
    const second = await cycle('Alt+]', (ghost) => ghost !== '' && ghost !== first);
    await window.screenshot('second-suggestion');
    assert.equal(await cycle('Alt+[', (ghost) => ghost !== second), first);
    await cycle('Alt+]', (ghost) => ghost === second);
  });

  it('accepts a step of the second suggestion, not of the first', async () => {
    const second = await window.ghostText();
    const before = server.read('greet.py');
    await window.press('Alt+ArrowRight');
    const text = await window.untilFile('greet.py', (file) => file.length > before.length);
    const taken = text.slice(before.length);
    assert.ok(second.startsWith(taken), `${JSON.stringify(taken)} of ${JSON.stringify(second)}`);
    await window.press('Escape');
  });

  it('is quiet while it is paused, says until when, and comes back', async () => {
    await window.command('DynaMo: Pause Completions');
    await window.pick('15 minutes');
    await window.untilStatus(/paused until/);
    await window.openFile('area.py');
    await window.type('u');
    await nothingShown();
    await window.clickStatus();
    await window.screenshot('menu-paused');
    await window.pick('Resume completions');
    await window.untilStatus(/on the CPU/);
    await window.focusEditor();
    await window.type('r');
    await window.untilGhostText();
  });

  it('is switched off and on for a language', async () => {
    await window.press('Escape');
    await window.command('DynaMo: Enable or Disable for This Language');
    await window.untilStatus(/switched off for python/);
    await window.type('n');
    await nothingShown();
    await window.command('DynaMo: Enable or Disable for This Language');
    await window.untilStatus(/on the CPU/);
    await window.type(' ');
    await window.untilGhostText();
  });

  it('has left no error behind', () => {
    assert.doesNotMatch(server.log(), /\[error\]/);
    assert.deepEqual(window.errors, []);
  });
});
