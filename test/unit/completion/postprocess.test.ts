import assert from 'node:assert/strict';

import fc from 'fast-check';

import { postprocess } from '../../../src/completion/postprocess';
import { around, shown } from './notation';

type Case = [name: string, before: string, after: string];

function table(multiline: boolean, cases: Case[], language?: string): void {
  for (const [name, before, after] of cases) {
    it(name, () => {
      const { raw, context } = around(before, language);
      assert.equal(shown(context, postprocess(raw, context, { multiline })), after);
    });
  }
}

describe('post-processing of a single line', () => {
  table(false, [
    ['keeps a plain completion', 'const a = ⟦1;⟧\n', 'const a = ⟦1;⟧\n'],
    ['ends at the first line break', 'const a = ⟦1;\nconst b = 2;⟧', 'const a = ⟦1;⟧'],
    ['may begin on the next line', 'a();⟦\nb();\nc();⟧', 'a();⟦\nb();⟧'],
    ['drops white space at the end', 'return⟦ x;  \t⟧', 'return⟦ x;⟧'],
    ['drops blank text', 'a();⟦\n  \n⟧', 'a();|'],
    ['drops empty text', 'a();⟦⟧\n', 'a();|\n'],
    ['keeps a carriage return document', 'a();⟦\nb();⟧\r\n', 'a();⟦\r\nb();⟧\r\n'],
    ['reads carriage returns of the model', 'a⟦b\r\nc⟧\n', 'a⟦b⟧\n'],
  ]);
});

describe('the copied suffix', () => {
  table(false, [
    ['is cut on the line', 'foo(⟦a, bar);⟧, bar);\n', 'foo(⟦a⟧, bar);\n'],
    ['is cut when its space is left out', 'x = ⟦1 + y;⟧ + y;\n', 'x = ⟦1⟧ + y;\n'],
    ['is kept when it belongs to the text', 'f(⟦g(a, bar)⟧, bar)', 'f(⟦g(a, bar)⟧, bar)'],
    ['is kept when it says little', 'f(⟦a, b⟧, b', 'f(⟦a, b⟧, b'],
    [
      'is cut when the token limit interrupted it',
      'call(⟦first, secondArg⟧, secondArgument, third)',
      'call(⟦first⟧, secondArgument, third)',
    ],
    ['ends the text when it is all', 'foo(a⟦, bar);⟧, bar);\n', 'foo(a|, bar);\n'],
  ]);
  table(true, [
    [
      'is cut together with what comes behind it',
      'foo(⟦a, bar);\nbaz();⟧, bar);\nbaz();\n',
      'foo(⟦a⟧, bar);\nbaz();\n',
    ],
  ]);
});

describe('lines that follow', () => {
  table(true, [
    ['are not repeated', 'a();\n⟦b();\nreturn c;⟧\nreturn c;\n', 'a();\n⟦b();⟧\nreturn c;\n'],
    [
      'are not repeated behind a blank line',
      'a();\n⟦b();\n\nreturn c;\n}⟧\n\nreturn c;\n}\n',
      'a();\n⟦b();⟧\n\nreturn c;\n}\n',
    ],
    [
      'are not repeated on the cursor line',
      'f() {\n  ⟦return c;\n}⟧\n  return c;\n}',
      'f() {\n  |\n  return c;\n}',
    ],
    [
      'may differ in indentation',
      'a();\n⟦b();\n  return c;⟧\nreturn c;\n',
      'a();\n⟦b();\n  return c;⟧\nreturn c;\n',
    ],
    [
      'count as two when they are brackets',
      'f(() => {\n  ⟦a();\n});\n\nlast();⟧\n});\n\nlast();\n',
      'f(() => {\n  ⟦a();⟧\n});\n\nlast();\n',
    ],
    [
      'drop text that is the next lines',
      'if (a) {⟦\n  b();\n  c();⟧\n  b();\n  c();\n}',
      'if (a) {|\n  b();\n  c();\n}',
    ],
    ['drop text that stands right of the cursor', 'foo(a⟦);⟧);\n', 'foo(a|);\n'],
  ]);
});

describe('the block of the cursor', () => {
  table(true, [
    [
      'ends at the first line below its indentation',
      'def f():\n    ⟦return 1\n\ndef g():\n    pass⟧',
      'def f():\n    ⟦return 1⟧',
    ],
    [
      'goes on over blank lines',
      'def f():\n    ⟦a = 1\n\n    return a⟧\n',
      'def f():\n    ⟦a = 1\n\n    return a⟧\n',
    ],
    [
      'holds deeper lines',
      '  ⟦if (a) {\n    b();\n  }\n  c();⟧\n',
      '  ⟦if (a) {\n    b();\n  }\n  c();⟧\n',
    ],
    [
      'is closed when the document does not close it',
      'function f() {\n  ⟦return 1;\n}⟧\n',
      'function f() {\n  ⟦return 1;\n}⟧\n',
    ],
    [
      'is not closed twice',
      'function f() {\n  ⟦return 1;\n}⟧\n}\n',
      'function f() {\n  ⟦return 1;⟧\n}\n',
    ],
    [
      'is not closed twice over blank lines',
      'function f() {\n  ⟦return 1;\n}⟧\n\n}\n',
      'function f() {\n  ⟦return 1;⟧\n\n}\n',
    ],
    [
      'is closed when only an outer block is closed',
      'class A {\n  f() {\n    ⟦return 1;\n  }⟧\n}\n',
      'class A {\n  f() {\n    ⟦return 1;\n  }⟧\n}\n',
    ],
    [
      'ends behind its closing line',
      'function f() {\n  ⟦return 1;\n}\n\nfunction g() {}⟧\n',
      'function f() {\n  ⟦return 1;\n}⟧\n',
    ],
    [
      'counts a tab as indentation',
      'func f() {\n\t⟦a()\n\tb()\n}\nx()⟧\n',
      'func f() {\n\t⟦a()\n\tb()\n}⟧\n',
    ],
    [
      'keeps the closing line of a block that the text opened',
      'a();\n⟦if (b) {\n  c();\n}⟧\n}\n',
      'a();\n⟦if (b) {\n  c();\n}⟧\n}\n',
    ],
    ['is closed by a word that the document lacks', 'def f\n  ⟦1\nend⟧\n', 'def f\n  ⟦1\nend⟧\n'],
    ['is not closed twice by a word', 'def f\n  ⟦1\nend⟧\nend\n', 'def f\n  ⟦1⟧\nend\n'],
    [
      'is not left for another branch',
      'if (a) {\n  ⟦b();\n} else {\n  c();⟧\n',
      'if (a) {\n  ⟦b();⟧\n',
    ],
    [
      'begins behind an opening line',
      'if (a) {⟦\n  // do not\n  b();\n}⟧\n}\n',
      'if (a) {⟦\n  // do not\n  b();⟧\n}\n',
    ],
  ]);
});

describe('the top level', () => {
  table(true, [
    [
      'ends at the next paragraph',
      '# Sum\n⟦def f():\n    a\n\n    b\n\n\ndef g():⟧\n',
      '# Sum\n⟦def f():\n    a\n\n    b⟧\n',
    ],
    ['keeps lines without a blank one', '⟦import a\nimport b⟧\n', '⟦import a\nimport b⟧\n'],
    ['keeps a closing bracket', '⟦f(\n  a\n\n)⟧\n', '⟦f(\n  a\n\n)⟧\n'],
    ['is not looked for in a block', 'f:\n  ⟦a\n\n  b⟧\n', 'f:\n  ⟦a\n\n  b⟧\n'],
    [
      'does not repeat a function of the file',
      '⟦a()\ndef fibonacci(n):\n    b⟧\nc()\ndef fibonacci(n):\n',
      '⟦a()⟧\nc()\ndef fibonacci(n):\n',
    ],
    [
      'may repeat a line of another block',
      'f:\n  ⟦a\n  return None⟧\nb\n  c\n  return None\n',
      'f:\n  ⟦a\n  return None⟧\nb\n  c\n  return None\n',
    ],
  ]);
  table(true, [['is no matter in prose', '⟦A.\n\nB.⟧\n', '⟦A.\n\nB.⟧\n']], 'markdown');
});

describe('a fence', () => {
  table(true, [['ends code', 'f:\n  ⟦a\n  ```\nThis⟧\n', 'f:\n  ⟦a⟧\n']]);
  table(true, [['belongs to prose', '⟦a\n```\nb⟧\n', '⟦a\n```\nb⟧\n']], 'markdown');
});

describe('an interrupted text', () => {
  const shownWhen = (interrupted: boolean, before: string, multiline = true): string => {
    const { raw, context } = around(before);
    return shown(context, postprocess(raw, context, { multiline, interrupted }));
  };

  it('loses its unfinished last line', () => {
    assert.equal(shownWhen(true, 'f:\n  ⟦a()\n  b(c⟧\n'), 'f:\n  ⟦a()⟧\n');
  });

  it('keeps its only line', () => {
    assert.equal(shownWhen(true, 'f:\n  ⟦b(c⟧\n'), 'f:\n  ⟦b(c⟧\n');
    assert.equal(shownWhen(true, 'f:⟦\n  b(c⟧\n'), 'f:⟦\n  b(c⟧\n');
  });

  it('keeps all when it is a single line or was not interrupted', () => {
    assert.equal(shownWhen(false, 'f:\n  ⟦a()\n  b(c⟧\n'), 'f:\n  ⟦a()\n  b(c⟧\n');
    assert.equal(shownWhen(true, 'x = ⟦\nb⟧\n', false), 'x = ⟦\nb⟧\n');
  });
});

describe('repetition', () => {
  const line = 'console.log(value);\n';
  table(true, [
    ['of a line is cut', `⟦${line.repeat(4)}⟧`, `⟦${line.trimEnd()}⟧`],
    [
      'of a line is cut behind other text',
      `⟦a();\n${line.repeat(3)}⟧`,
      `⟦a();\n${line.trimEnd()}⟧`,
    ],
    ['of a line twice is kept', `⟦${line}${line}x⟧`, `⟦${line}${line}x⟧`],
    ['of two lines is cut', `⟦${'aa();\nbb();\n'.repeat(3)}⟧`, '⟦aa();\nbb();⟧'],
    [
      'is cut though its last line is unfinished',
      `⟦${line.repeat(3)}conso⟧`,
      `⟦${line.trimEnd()}⟧`,
    ],
    ['of rows of numbers is kept', '⟦0, 0,\n0, 0,\n0, 0,⟧', '⟦0, 0,\n0, 0,\n0, 0,⟧'],
    ['of words on a line is cut', `⟦x = ${'no '.repeat(30)}⟧`, '⟦x = no⟧'],
    ['of a ruler is kept', `⟦// ${'-'.repeat(70)}⟧`, `⟦// ${'-'.repeat(70)}⟧`],
    ['of digits in a short number is kept', '⟦0x0000000000000000⟧', '⟦0x0000000000000000⟧'],
  ]);
});

describe('the replaced range', () => {
  table(true, [
    ['takes a bracket that the text closes', 'foo(⟦a, b);⟧)\n', 'foo(⟦a, b);⟧‹)›\n'],
    ['leaves a bracket that the text balances', 'foo(⟦g(x)⟧)\n', 'foo(⟦g(x)⟧)\n'],
    ['leaves a bracket that the text does not close', 'foo(⟦a, b⟧)\n', 'foo(⟦a, b⟧)\n'],
    ['takes a quote and a bracket', 'log("⟦hello");⟧")\n', 'log("⟦hello");⟧‹")›\n'],
    ['takes quote, bracket and semicolon', "log('⟦hi');⟧');\n", "log('⟦hi');⟧‹');›\n"],
    ['takes no more than the text closes', 'foo(⟦a)⟧);\n', 'foo(⟦a)⟧‹)›;\n'],
    ['takes nothing where a word stands', 'foo(⟦a)⟧, b)\n', 'foo(⟦a)⟧, b)\n'],
    [
      'takes the end of a block on the line',
      'function f() {⟦\n  return 1;\n}⟧}\n',
      'function f() {⟦\n  return 1;\n}⟧‹}›\n',
    ],
    ['ignores brackets in strings', 'foo(⟦")"⟧)\n', 'foo(⟦")"⟧)\n'],
    ['sees an apostrophe in front', "// don't\nfoo(⟦a);⟧)\n", "// don't\nfoo(⟦a);⟧‹)›\n"],
    ['takes only the first of several', 'f({ a: [⟦1]⟧] })\n', 'f({ a: [⟦1]⟧‹]› })\n'],
    ['takes nothing behind another closer', 'f({ a: [⟦1 }⟧] })\n', 'f({ a: [⟦1 }⟧] })\n'],
  ]);
});

describe('post-processing of any text', function () {
  this.timeout(60_000);

  const lines = fc.constantFrom(
    'a();',
    '  b(c, d)',
    '}',
    '  });',
    '',
    '\t',
    'return x',
    'end',
    "'",
    'x = [1, 2',
  );
  const document = fc.oneof(
    fc.array(lines, { maxLength: 12 }).map((list) => list.join('\n')),
    fc.array(lines, { maxLength: 12 }).map((list) => list.join('\r\n')),
    fc.string({ unit: 'binary' }),
  );
  const situation = fc.record({
    raw: document,
    prefix: document,
    suffix: document,
    multiline: fc.boolean(),
  });

  it('only shortens: no character is added or changed', () => {
    fc.assert(
      fc.property(situation, ({ raw, prefix, suffix, multiline }) => {
        const context = { prefix, suffix, language: 'typescript' };
        const completion = postprocess(raw, context, { multiline });
        if (completion === undefined) return;
        const plain = (text: string) => text.replace(/\r\n?/g, '\n');
        assert.ok(plain(raw).startsWith(plain(completion.text)));
        assert.notEqual(completion.text.trim(), '');
        assert.equal(completion.text, completion.text.trimEnd());
      }),
      { numRuns: 500 },
    );
  });

  it('replaces only closing characters of the cursor line', () => {
    fc.assert(
      fc.property(situation, ({ raw, prefix, suffix, multiline }) => {
        const context = { prefix, suffix, language: 'typescript' };
        const replace = postprocess(raw, context, { multiline })?.replace ?? 0;
        assert.match(suffix.slice(0, replace), /^[)\]}>"'`;, \t]*$/);
      }),
      { numRuns: 500 },
    );
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(situation, ({ raw, prefix, suffix }) => {
        const context = { prefix, suffix, language: 'typescript' };
        const once = postprocess(raw, context, { multiline: false });
        if (once === undefined) return;
        assert.deepEqual(postprocess(once.text, context, { multiline: false }), once);
      }),
    );
  });
});
