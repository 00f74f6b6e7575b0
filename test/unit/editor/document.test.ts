/** The text around a cursor, as it is read from an open document. */
import assert from 'node:assert/strict';
import type { TextDocument } from 'vscode';
import { mayBecome } from '../../../src/completion/underway';
import { restOf } from '../../../src/completion/suggestion';
import { buildParts, type BuiltParts } from './build';

describe('the text around a cursor', () => {
  let built: BuiltParts;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());

  function around(text: string, eol?: '\r\n') {
    const { contextAt, vscode } = built.parts;
    vscode.open(text, eol && { eol });
    const document = vscode.document as unknown as TextDocument;
    return contextAt(document, vscode.window.activeTextEditor?.selection.active as never);
  }

  const lines = (count: number) => 'x = 1;  // one\n'.repeat(count);

  for (const below of [100, 600, 1000, 5000]) {
    it(`stays the same on the right while a bracket is typed above ${below} lines`, () => {
      const above = lines(600);
      const before = around(`${above}print|\n${lines(below)}`);
      const now = around(`${above}print(|)\n${lines(below)}`);
      assert.ok(before.suffix.length >= Math.min(8_192, 15 * below));
      assert.equal(now.suffix, `)${before.suffix}`);
      assert.ok(mayBecome({ context: before, steps: [] }, now));
      const whole = { context: before, text: '(a)', replace: 0, boundaries: [3], open: false };
      assert.equal(restOf(whole, now)?.text, 'a)');
    });
  }

  it('is no more than a prompt can hold', () => {
    const { prefix, suffix } = around(`${lines(10_000)}|${lines(10_000)}`);
    assert.ok(
      prefix.length < 50_000 && suffix.length < 25_000,
      `${prefix.length} ${suffix.length}`,
    );
  });

  it('has the document’s line breaks, also where it shows none', () => {
    assert.equal(around('a|', '\r\n').newline, '\r\n');
    assert.equal(around('a|').newline, '\n');
  });
});
