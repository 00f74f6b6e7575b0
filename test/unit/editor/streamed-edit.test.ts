/** Text that arrives in pieces, in a document that somebody else edits. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import type * as Streaming from '../../fixtures/streaming';

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
