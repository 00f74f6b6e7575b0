/** Generation from the palette in a real VS Code with the real 0.5B model. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { Desk } from './harness/desk';
import type { EditorServer } from './harness/server';
import type { EditorWindow } from './harness/window';

describe('generation from the palette', () => {
  let desk: Desk;
  let server: EditorServer;
  let window: EditorWindow;

  before(async () => {
    desk = await Desk.open({
      files: {
        'new.py': '# Helpers for dates.\n\n',
        'long.py': '# Numbers in words.\n\n',
        'beside.py': '# Names of numbers.\n\n',
        'closed.py': '# Names of months.\n\n',
        'apart.py': '# Words for numbers.\n\n',
        'rewrite.py': 'class A:\n    def add(self, a, b):\n        return a + b\n',
      },
    });
    server = desk.server;
    chmodSync(server.write('fixed.py', 'a = 1\n'), 0o444);
    window = await desk.window();
  });

  after(() => desk.close());

  let ended = 0;
  const untilDone = async () => {
    ended += 1;
    const count = () => server.log().split(/generation (?:ended|cancelled)/).length - 1;
    await window.until('the end of a generation', count, (seen) => seen === ended);
  };

  const generate = async (instruction: string) => {
    await window.command('DynaMo: Generate from Instruction');
    await window.answer('What is to be written?', instruction);
  };

  it('writes what an instruction asks for, and one undo takes it back', async () => {
    await window.openFile('new.py');
    await generate('a function days_between(a, b) for two datetime.date values');
    await window.untilFile('new.py', (text) => text.includes('def days_between'));
    await window.screenshot('generate-streaming');
    await untilDone();
    const text = await window.untilFile('new.py', (file) => /return/.test(file));
    await window.screenshot('generate-done');
    assert.doesNotMatch(text, /```/);
    await window.press('Control+z');
    await window.untilFile('new.py', (file) => file === '# Helpers for dates.\n\n');
  });

  it('stops when it is cancelled halfway, and keeps what is there until undo', async () => {
    await window.openFile('long.py');
    await generate('a dictionary WORDS of the numbers from 1 to 100 in English words');
    await window.untilFile('long.py', (text) => text.length > 80);
    await window.press('Escape');
    await untilDone();
    const kept = server.read('long.py');
    assert.doesNotMatch(kept, /hundred/);
    await window.press('Control+z');
    await window.untilFile('long.py', (file) => file === '# Numbers in words.\n\n');
  });

  it('goes on while one types elsewhere in the document', async () => {
    await window.openFile('beside.py');
    await generate('a dictionary WORDS of the numbers from 1 to 20 in English words');
    await window.untilFile('beside.py', (text) => text.length > 60);
    await window.press('Control+Home');
    await window.type('# Mine: nobody else writes here.\n');
    await window.press('Control+Home');
    await untilDone();
    await window.untilSaved();
    const text = await window.untilFile('beside.py', (file) => /seven/i.test(file));
    const [mine, title, ...rest] = text.split('\n');
    assert.equal(mine, '# Mine: nobody else writes here.');
    assert.equal(title, '# Names of numbers.');
    // No piece went astray because of a key that was pressed while it was written.
    const whole = /^(?:|#.*|WORDS = \{| {4}\d+: "[\w -]+",?|\})$/;
    assert.deepEqual(
      rest.filter((line) => !whole.test(line)),
      [],
      text,
    );
    assert.doesNotMatch(server.log(), /generation cancelled after \d+ tokens\s*$/);
  });

  it('goes on when Escape is pressed in another document', async () => {
    const cancelled = () => server.log().split('generation cancelled').length;
    const before = cancelled();
    await window.openFile('apart.py');
    await generate('a dictionary WORDS of the numbers from 1 to 20 in English words');
    await window.untilFile('apart.py', (text) => text.length > 60);
    await window.openFile('new.py');
    await window.press('Escape');
    await untilDone();
    assert.equal(cancelled(), before);
    await window.openFile('apart.py');
    await window.untilFile('apart.py', (file) => /seven/i.test(file));
  });

  it('ends in peace when its document is closed', async () => {
    await window.openFile('closed.py');
    await generate('a dictionary WORDS of the numbers from 1 to 100 in English words');
    await window.untilFile('closed.py', (text) => text.length > 60);
    await window.closeTab('closed.py');
    await untilDone();
    await window.screenshot('generation-closed');
    await window.openFile('closed.py');
    assert.ok(server.read('closed.py').startsWith('# Names of months.\n\n'));
  });

  it('rewrites a selection in its place and with its indentation', async () => {
    await window.openFile('rewrite.py');
    await window.press('Control+a');
    await window.command('DynaMo: Rewrite Selection');
    await window.answer('How is it to be rewritten?', 'rename add to plus');
    await window.untilFile('rewrite.py', (text) => text.includes('plus'));
    await untilDone();
    await window.screenshot('rewritten');
    await window.press('Control+z');
    await window.untilFile('rewrite.py', (text) => text.includes('def add(self, a, b):'));
  });

  it('refuses a document that cannot be written', async () => {
    await window.openFile('fixed.py');
    await window.command('DynaMo: Generate at Cursor');
    const told = await window.until(
      'a refusal',
      () => window.notifications(),
      (messages) => messages.some((message) => message.includes('read-only')),
    );
    assert.ok(told);
    assert.equal(server.read('fixed.py'), 'a = 1\n');
  });

  it('has left no error in the log', () => {
    assert.doesNotMatch(server.log(), /\[error\]/);
    assert.deepEqual(window.errors, []);
  });
});
