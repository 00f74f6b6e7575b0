import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { offsetAt, parsePosition, readCursor } from '../../../src/cli/cursor';
import { UsageError } from '../../../src/cli/usage';

describe('parsePosition', () => {
  it('takes the two numbers at the end, whatever the name looks like', () => {
    for (const file of ['a.py', '/x/y z.ts', 'C:\\code\\a.py', 'odd:1:2', 'ü\n.py', ':', '1:2']) {
      assert.deepEqual(parsePosition(`${file}:3:14`), { file, line: 3, column: 14 });
    }
  });

  it('refuses everything else', () => {
    for (const argument of [
      '',
      'a.py',
      'a.py:3',
      'a.py:3:',
      ':3:4',
      'a.py:0:1',
      'a.py:1:0',
      'a.py:-1:1',
      'a.py:1.5:1',
      'a.py:1:1 ',
      'a.py:1:9999999999',
    ]) {
      assert.throws(() => parsePosition(argument), UsageError, argument);
    }
  });
});

describe('offsetAt', () => {
  /** `text` has the cursor as a bar. */
  const check = (text: string, line: number, column: number) => {
    const offset = text.indexOf('|');
    assert.equal(offsetAt(text.replace('|', ''), line, column), offset);
  };

  it('counts lines and columns from 1', () => {
    check('|one\ntwo', 1, 1);
    check('one|\ntwo', 1, 4);
    check('one\n|two', 2, 1);
    check('one\ntwo|', 2, 4);
  });

  it('knows the empty line behind a last line break', () => {
    check('one\n|', 2, 1);
    check('\n\n|', 3, 1);
    check('|', 1, 1);
  });

  it('does not count the carriage return of a line break', () => {
    check('one|\r\ntwo\r\n', 1, 4);
    check('one\r\ntwo|\r\n', 2, 4);
    check('one\r\n\r\n|', 3, 1);
    check('|\r\n', 1, 1);
    assert.equal(offsetAt('one\r\n', 1, 5), 'has 3 characters in line 1; there is no column 5.');
  });

  it('counts a tab as one column, and UTF-16 units as the editor does', () => {
    check('\t\t|x', 1, 3);
    check('é中|x', 1, 3);
    check('😀|x', 1, 3);
    check('👩‍🚀|', 1, 6);
  });

  it('never stands within a surrogate pair', () => {
    check('a|😀', 1, 3);
    check('😀|😀', 1, 4);
  });

  it('says how far the file goes', () => {
    assert.equal(offsetAt('one', 2, 1), 'has 1 line; there is no line 2.');
    assert.equal(offsetAt('one\n', 3, 1), 'has 2 lines; there is no line 3.');
    assert.equal(offsetAt('x\n', 1, 3), 'has 1 character in line 1; there is no column 3.');
    assert.equal(offsetAt('x\n', 2, 2), 'has 0 characters in line 2; there is no column 2.');
  });
});

describe('readCursor', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'dynamo-cursor-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function write(name: string, content: string | Uint8Array): string {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  }

  async function fails(file: string, message: RegExp, line = 1, column = 1): Promise<void> {
    await assert.rejects(readCursor({ file, line, column }), (error: unknown) => {
      assert.ok(error instanceof Error && !(error instanceof UsageError));
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(file), 'names the file');
      return true;
    });
  }

  it('splits a file at the cursor, byte for byte', async () => {
    const file = write('odd:1:2.PY', 'é = "😀"\r\n\ty');
    assert.deepEqual(await readCursor({ file, line: 2, column: 2 }), {
      prefix: 'é = "😀"\r\n\t',
      suffix: 'y',
      language: 'python',
    });
  });

  it('tells the language by the extension', async () => {
    for (const [name, language] of [
      ['a.ts', 'typescript'],
      ['a.tsx', 'typescriptreact'],
      ['b.md', 'markdown'],
      ['Makefile', 'unknown'],
      ['c.constructor', 'unknown'],
    ] as const) {
      const file = write(name, 'x');
      assert.equal((await readCursor({ file, line: 1, column: 1 })).language, language);
    }
  });

  it('does not count a byte order mark', async () => {
    const file = write('bom.py', '\ufeffx = 1');
    assert.equal((await readCursor({ file, line: 1, column: 2 })).prefix, 'x');
  });

  it('names the position that a file does not have', async () => {
    await fails(write('short.py', 'x = 1'), /has 1 line; there is no line 7\.$/, 7);
    await fails(write('short.py', 'x = 1'), /5 characters in line 1; there is no column 9/, 1, 9);
  });

  it('refuses what is no text', async () => {
    await fails(write('empty.py', ''), /is empty/);
    await fails(write('bom-only.py', '\ufeff'), /is empty/);
    await fails(
      write('image.png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0)),
      /is a binary file/,
    );
    await fails(write('utf16.txt', Buffer.from('\ufeffhello', 'utf16le')), /is a binary file/);
    await fails(write('latin1.py', Buffer.from('x = "\xe9"', 'latin1')), /is not valid UTF-8/);
    await fails(write('cut.py', Buffer.from('x = "é').subarray(0, 6)), /is not valid UTF-8/);
  });

  it('refuses what is no file', async () => {
    await fails(folder, /is a folder/);
    await fails(join(folder, 'missing.py'), /does not exist/);
    await fails(join(write('file.py', 'x'), 'inside.py'), /does not exist/);
    if (process.platform === 'linux') await fails('/dev/zero', /is not an ordinary file/);
  });

  it('does not wait for the writer of a pipe', async function () {
    if (process.platform === 'win32') this.skip();
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await fails(pipe, /is not an ordinary file/);
  });

  it('refuses a file of 50 MB without reading it', async () => {
    const file = write('large.py', '');
    truncateSync(file, 50 * 2 ** 20);
    await fails(file, /has 50 MB; at most 20 MB are read/);
  });
});
