/** Text that arrives in pieces, in a document that somebody else edits. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import type * as Streaming from '../../fixtures/streaming';
import { buildParts, type BuiltParts } from './build';

describe('a streamed edit', () => {
  let fixture: BuiltFixture;
  let streaming: typeof Streaming;

  before(() => {
    fixture = buildFixture('test/fixtures/streaming.ts', {
      vscode: 'test/fixtures/one-document-vscode.ts',
    });
    streaming = createRequire(resolve('package.json'))(fixture.path) as typeof Streaming;
  });

  after(() => fixture.remove());

  function begin(text: string, offset = text.length) {
    const { StreamedEdit, document, open, Range } = streaming;
    open(text);
    const at = document.positionAt(offset);
    const lost: string[] = [];
    const range = new Range(at, at);
    const edit = new StreamedEdit(
      document as unknown as ConstructorParameters<typeof StreamedEdit>[0],
      range as unknown as ConstructorParameters<typeof StreamedEdit>[1],
      (why) => lost.push(why),
    );
    return { edit, lost };
  }

  it('writes its pieces behind one another', async () => {
    const { edit, lost } = begin('a\n');
    await edit.write('b');
    await edit.write('c');
    assert.equal(streaming.document.getText(), 'a\nbc');
    assert.deepEqual(lost, []);
  });

  it('waits for a user who types elsewhere, however many keys come first', async () => {
    const { edit, lost } = begin('a\n');
    let keys = 0;
    streaming.user.beforeEdit = () => {
      if (keys < 60) streaming.insert(0, 'x');
      keys += 1;
    };
    await edit.write('b');
    assert.equal(streaming.document.getText(), `${'x'.repeat(60)}a\nb`);
    assert.deepEqual(lost, []);
  });

  it('waits where its editor is closed while it writes', async () => {
    const { edit, lost } = begin('a\n');
    let closed = true;
    streaming.user.beforeEdit = () => {
      if (closed) throw new Error('Illegal argument: TextEditor');
    };
    const written = edit.write('b');
    setTimeout(() => (closed = false), 50);
    await written;
    assert.equal(streaming.document.getText(), 'a\nb');
    assert.deepEqual(lost, []);
  });

  it('gives up on a document that takes no edit', async () => {
    const { edit, lost } = begin('a\n');
    streaming.document.isReadOnly = true;
    await edit.write('b');
    assert.equal(streaming.document.getText(), 'a\n');
    assert.match(lost.join(), /read-only/);
  });

  it('gives up when somebody edits what it writes', async () => {
    const { edit, lost } = begin('a\n');
    await edit.write('bcd');
    streaming.insert('a\nb'.length, 'x');
    await edit.write('e');
    assert.equal(streaming.document.getText(), 'a\nbxcd');
    assert.match(lost.join(), /edited/);
  });
});

describe('a streamed edit that VS Code saved meanwhile', () => {
  let built: BuiltParts;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());

  const turn = () => new Promise((resolve) => setImmediate(resolve));

  /** Writes "bcd" in three pieces in place of what is selected, with a save behind each. */
  async function written(text: string, from: number, to: number) {
    const { StreamedEdit, vscode } = built.parts;
    vscode.open(text);
    vscode.select(from, to);
    const lost: string[] = [];
    const edit = new StreamedEdit(
      vscode.document as never,
      vscode.window.activeTextEditor?.selection as never,
      (why) => lost.push(why),
    );
    for (const piece of ['b', 'c', 'd']) {
      await edit.write(piece);
      vscode.save();
    }
    return { edit, vscode, lost };
  }

  it('is one undo all the same', async () => {
    const { edit, vscode } = await written('a\nxyz\n', 2, 5);
    await edit.end();
    assert.equal(vscode.document.getText(), 'a\nbcd\n');
    await vscode.commands.executeCommand('undo');
    assert.equal(vscode.document.getText(), 'a\nxyz\n');
  });

  it('gives back what an undo took elsewhere, and asks for no other', async () => {
    const { edit, vscode } = await written('a\nxyz\n', 2, 5);
    const elsewhere: string[] = (vscode.script.elsewhere = []);
    await edit.end();
    assert.deepEqual(elsewhere, ['undo', 'redo']);
    assert.equal(vscode.document.getText(), 'a\nbcd\n');
  });

  it('is whole again when the focus goes elsewhere after the first undo', async () => {
    const { edit, vscode } = await written('a\nxyz\n', 2, 5);
    vscode.script.meanwhile = () => (vscode.script.elsewhere ??= []);
    await edit.end();
    assert.deepEqual(vscode.script.elsewhere, ['undo', 'redo']);
    assert.equal(vscode.document.getText(), 'a\nbcd\n');
  });

  it('is whole again when somebody types between two undos', async () => {
    const { edit, vscode, lost } = await written('a\nxyz\n', 2, 5);
    vscode.script.meanwhile = () => {
      vscode.script.meanwhile = () => undefined;
      vscode.insert(0, '#');
    };
    await edit.end();
    assert.equal(vscode.document.getText(), '#a\nbcd\n');
    assert.deepEqual(lost, []);
    assert.equal(vscode.script.executed.filter((id) => id === 'undo').length, 1);
  });

  it('takes all back that it has written, wherever the place is by then', async () => {
    const { edit, vscode } = await written('a\nxyz\n', 2, 5);
    vscode.insert(0, '#');
    await edit.takeBack();
    assert.equal(vscode.document.getText(), '#a\nxyz\n');
    assert.deepEqual(vscode.script.executed, []);
  });

  it('takes all back where no editor shows the document', async () => {
    const { edit, vscode } = await written('a\nxyz\n', 2, 5);
    vscode.show(false);
    void edit.write('never seen');
    await edit.takeBack();
    await turn();
    assert.equal(vscode.document.getText(), 'a\nxyz\n');
  });
});
