import assert from 'node:assert/strict';

import fc from 'fast-check';

import { createStopper, repeats } from '../../../src/completion/stop';
import { around } from './notation';

/** Feeds the raw text of `before⟦raw⟧after` character by character, as tokens of one character. */
function run(document: string, multiline: boolean) {
  const { raw, context } = around(document);
  const stopper = createStopper({ context, multiline });
  for (let length = 1; length <= raw.length; length += 1) {
    const text = raw.slice(0, length);
    const decision = stopper.next(
      text,
      Array.from(text, (_, index) => 1000 + index),
    );
    if (decision !== undefined) {
      return { ...decision, kept: raw.slice(0, decision.keep), read: text };
    }
  }
  return undefined;
}

describe('stopping while the text grows', () => {
  const cases: [string, boolean, string, string | undefined, string][] = [
    ['a line break ends a single line', false, 'a = ⟦1;\nb⟧', 'newline', '1;'],
    ['a leading line break does not', false, 'a();⟦\n\n  b();\nc⟧', 'newline', '\n\n  b();'],
    ['several lines go on', true, 'a();\n⟦b();\nc();\nd();⟧', undefined, ''],
    ['a dedent ends the block', true, 'def f():\n    ⟦a\n    b\nc = 1⟧', 'dedent', 'a\n    b'],
    ['a dedent to a closing line keeps it', true, 'f() {\n  ⟦a\n}\nb⟧', 'dedent', 'a\n}'],
    ['a bracket may still become another branch', true, 'f() {\n  ⟦a\n} e⟧', 'dedent', 'a'],
    ['following lines are not copied', true, 'a\n⟦b\nreturn c;\nd⟧\nreturn c;\n', 'suffix', 'b'],
    ['an unfinished line is no copy', true, 'a\n⟦b\nreturn c;⟧\nreturn c;\n', undefined, ''],
    ['one bracket is no copy', true, 'a\n⟦b() {\n}\nc();⟧\n}\nd();\n', undefined, ''],
    ['two bracket lines are', true, 'f(\n  ⟦b\n  }\n\n  d();\n⟧\n  }\n  d();\n', 'suffix', 'b'],
    [
      'a paragraph ends at column 0',
      true,
      '⟦def f():\n    a\n\n    b\n\nc⟧',
      'topLevel',
      'def f():\n    a\n\n    b',
    ],
    ['a bracket behind a blank line does not', true, '⟦f(\n  a\n\n)⟧', undefined, ''],
    ['an indented block is no paragraph', true, 'f:\n  ⟦a\n\n  b⟧', undefined, ''],
    ['a fence ends code', true, 'f:\n  ⟦a\n  ```\nThis⟧', 'fence', 'a'],
    ['the rest of the line is not copied', true, 'f(⟦a, bar);\nx⟧, bar);\n', 'suffix', 'a'],
    ['carriage returns count as kept', false, 'a = ⟦1;\r\nb⟧', 'newline', '1;'],
  ];
  for (const [name, multiline, document, reason, kept] of cases) {
    it(name, () => {
      const decision = run(document, multiline);
      assert.equal(decision?.reason, reason);
      assert.equal(decision?.kept ?? '', kept);
    });
  }

  it('stops as early as the text allows', () => {
    assert.equal(run('a = ⟦1;\nb = 2;⟧', false)?.read, '1;\n');
    assert.equal(run('def f():\n    ⟦a\nb = 2;⟧', true)?.read, 'a\nb ');
  });

  it('never keeps more than there is', () => {
    const text = fc
      .array(fc.constantFrom('a();', '\n', '  ', '}', '\r\n', 'é'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, text, text, fc.boolean(), (prefix, suffix, raw, multiline) => {
        const context = { prefix, suffix, language: 'python' };
        const decision = createStopper({ context, multiline }).next(raw, [1, 1, 1, 1, 1]);
        if (decision !== undefined) {
          assert.ok(decision.keep >= 0 && decision.keep <= raw.length);
        }
      }),
    );
  });
});

describe('repetition of tokens', () => {
  const cycle = (period: number, length: number) =>
    Array.from({ length }, (_, index) => index % period);
  const cases: [string, number[], boolean][] = [
    ['one token 9 times', cycle(1, 9), false],
    ['one token 10 times', cycle(1, 10), true],
    ['one token 10 times behind others', [7, 8, 9, ...cycle(1, 10)], true],
    ['one token 10 times, then another', [...cycle(1, 10), 5], false],
    ['ten tokens in 29', cycle(10, 29), false],
    ['ten tokens in 30', cycle(10, 30), true],
    ['two tokens in 30', cycle(2, 30), true],
    ['eleven tokens in 30', cycle(11, 30), false],
    ['twenty tokens in 44', cycle(20, 44), false],
    ['twenty tokens in 45', cycle(20, 45), true],
    ['twenty-one tokens in 100', cycle(21, 100), false],
    ['no tokens', [], false],
  ];
  for (const [name, tokens, expected] of cases) {
    it(`${expected ? 'stops' : 'goes on'}: ${name}`, () => {
      assert.equal(repeats(tokens), expected);
    });
  }

  it('keeps one round of the text', () => {
    const context = { prefix: '', suffix: '', language: 'python' };
    const stopper = createStopper({ context, multiline: true });
    const decision = stopper.next(`call${' no'.repeat(10)}`, [3, ...cycle(1, 10)]);
    assert.deepEqual(decision, { reason: 'repetition', keep: 'call no'.length });
  });
});
