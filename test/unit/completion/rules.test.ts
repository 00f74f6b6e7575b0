import assert from 'node:assert/strict';

import {
  refusal,
  withSelectedItem,
  type AskSituation,
  type Refusal,
} from '../../../src/completion/eligibility';
import { allowsSeveralLines, type LineMode } from '../../../src/completion/multiline';
import { cursorLines, indentation, newlineOf } from '../../../src/completion/text';
import { at } from './notation';

describe('when to ask', () => {
  const usual: Omit<AskSituation, 'context'> = {
    trigger: 'automatic',
    selectionEmpty: true,
    cursors: 1,
    writable: true,
    languageEnabled: true,
    change: 'insertion',
  };
  const cases: [string, string, Partial<AskSituation>, Refusal | undefined][] = [
    ['at the end of a line', 'const a = |\nb', {}, undefined],
    ['in an empty document', '|', {}, undefined],
    ['in front of brackets', 'foo(|))}];', {}, undefined],
    ['in front of a letter', 'foo|bar', {}, 'word'],
    ['in front of a digit', 'foo|1', {}, 'word'],
    ['in front of a letter outside the basic plane', 'a|𝒳', {}, 'word'],
    ['in front of a combining mark', 'e|\u0301', {}, 'word'],
    ['in front of an underscore, asked', 'foo|_', { trigger: 'explicit' }, 'word'],
    ['with eight characters right', 'f(| ,1,2,3,4', {}, undefined],
    ['with nine characters right', 'f(| ,1,2,3,4,', {}, 'text-right'],
    ['with nine characters right, asked', 'f(| ,1,2,3,4,', { trigger: 'explicit' }, undefined],
    ['with long lines below', 'f(|\nlong line below', {}, undefined],
    ['with long lines below and CRLF', 'f(|\r\nlong line below', {}, undefined],
    ['after a deletion', 'foo(|', { change: 'deletion' }, 'deletion'],
    ['after a deletion, asked', 'a(|', { change: 'deletion', trigger: 'explicit' }, undefined],
    ['with a selection', 'foo(|', { selectionEmpty: false }, 'selection'],
    ['with two cursors', 'foo(|', { cursors: 2 }, 'cursors'],
    ['in a document that nobody writes', 'foo(|', { writable: false }, 'readonly'],
    ['in a language switched off', 'foo(|', { languageEnabled: false }, 'language'],
  ];
  for (const [name, document, changes, expected] of cases) {
    it(`${expected === undefined ? 'asks' : 'does not ask'} ${name}`, () => {
      assert.equal(refusal({ ...usual, context: at(document), ...changes }), expected);
    });
  }

  it('extends the selected item of the suggest widget', () => {
    const context = at('console.lo|');
    assert.equal(withSelectedItem(context, { text: 'log', typed: 'lo' })?.prefix, 'console.log');
    assert.equal(withSelectedItem(context, { text: 'error', typed: 'lo' }), undefined);
    assert.equal(withSelectedItem(context, { text: 'log', typed: 'l' }), undefined);
  });
});

describe('one line or several', () => {
  const cases: [string, string, string, boolean][] = [
    ['inside a line', 'const a = |', 'typescript', false],
    ['inside brackets', 'foo(|)', 'typescript', false],
    ['on a blank line', 'a();\n  |\nb();', 'typescript', true],
    ['in an empty document', '|', 'python', true],
    ['in front of text on its line', '  |return', 'typescript', false],
    ['behind an opening brace', 'if (a) {|', 'typescript', true],
    ['between braces', 'if (a) {|}', 'typescript', true],
    ['between braces of a call', 'f(() => {|});', 'typescript', true],
    ['between a brace and text', 'const {| a } = b', 'typescript', false],
    ['behind a colon in Python', 'def f():|\n', 'python', true],
    ['behind a colon in TypeScript', 'let a:|\n', 'typescript', false],
    ['behind a colon in front of text', 'x[1:|2]', 'python', false],
    ['behind then in a shell script', 'if true; then|\n', 'shellscript', true],
    ['behind do in Ruby', 'list.each do |x|¦', 'ruby', true],
    ['inside a line of prose', 'Once upon|', 'markdown', false],
    ['on a blank line with CRLF', 'a\r\n|\r\nb', 'plaintext', true],
  ];
  for (const [name, document, language, expected] of cases) {
    it(`${expected ? 'several' : 'one'} ${name}`, () => {
      assert.equal(allowsSeveralLines(at(document, language)), expected);
    });
  }
  const forced: [LineMode, string, boolean][] = [
    ['single', '|', false],
    ['multiple', 'a = |', true],
  ];
  for (const [mode, document, expected] of forced) {
    it(`does as told: ${mode}`, () => {
      assert.equal(allowsSeveralLines(at(document), mode), expected);
    });
  }
});

describe('lines around the cursor', () => {
  it('have no carriage returns', () => {
    const { left, right, below } = cursorLines(at('a\r\nb|c\r\nd\r\n'));
    assert.deepEqual({ left, right, below }, { left: 'b', right: 'c', below: ['d', ''] });
  });
  it('are as deep as their white space', () => {
    assert.deepEqual(
      ['', 'a', '  a', '\ta', '  \ta', '\t\t', '    a'].map(indentation),
      [0, 0, 2, 4, 4, 8, 4],
    );
  });
  it('end as the nearest line does', () => {
    const cases = ['|', 'a|\nb', 'a\r\nb|', 'a|\r\nb', 'a\r\nb\nc|\r\n', 'a\r|\nb'];
    assert.deepEqual(
      cases.map((document) => newlineOf(at(document))),
      ['\n', '\n', '\r\n', '\r\n', '\n', '\n'],
    );
  });
});
