/**
 * What is shown, and what the document holds after accepting, in one line each. `[x]` is grey text
 * that is inserted, `|` the cursor, `<x>` text right of it that the suggestion replaces.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { replacement } from '../../../src/completion/display';
import { postprocess } from '../../../src/completion/postprocess';
import {
  accepted,
  joined,
  nextStep,
  restOf,
  stepBoundaries,
  type Suggestion,
} from '../../../src/completion/suggestion';
import { Suggestions } from '../../../src/completion/suggestions';
import type { CursorContext } from '../../../src/completion/types';

/** `foo[bar]<)>baz`: a suggestion in its document; `·` within the brackets ends a decoding step. */
function suggestion(notation: string, language = 'typescript'): Suggestion {
  const match = /^([^[]*)\[([^\]]*)\](?:<([^>]*)>)?([^]*)$/.exec(notation);
  assert.ok(match, notation);
  const [, prefix = '', inner = '', replaced = '', behind = ''] = match;
  const steps = inner.split('·');
  const text = steps.join('');
  const context = { prefix, suffix: replaced + behind, language };
  return {
    context,
    text,
    replace: replaced.length,
    boundaries: stepBoundaries(steps, text, context),
    open: false,
  };
}

const cursor = (notation: string, language = 'typescript'): CursorContext => {
  const [prefix = '', suffix = ''] = notation.split('|');
  return { prefix, suffix, language };
};

function notationOf(shown: Suggestion | undefined): string {
  if (!shown) return 'nothing';
  const { context, text, replace } = shown;
  const replaced = replace > 0 ? `<${context.suffix.slice(0, replace)}>` : '';
  return `${context.prefix}[${text}]${replaced}${context.suffix.slice(replace)}`;
}

const documentOf = ({ prefix, suffix }: CursorContext): string => `${prefix}|${suffix}`;

describe('a suggestion that is accepted', () => {
  const cases: [before: string, after: string][] = [
    ['[foo]', 'foo|'],
    ['[foo]baz', 'foo|baz'],
    ['foo[bar]', 'foobar|'],
    ['foo[bar]baz', 'foobar|baz'],
    ['foo([a, b)]<)>', 'foo(a, b)|'],
    ['foo([a, b)]<)>;', 'foo(a, b)|;'],
    ['foo([a, b);]<)>\nbar', 'foo(a, b);|\nbar'],
    ['x = "[text"]<">', 'x = "text"|'],
    ['if (a) {[\n  b();\n}]<}>\n', 'if (a) {\n  b();\n}|\n'],
    ['a\n[b\nc]\nd', 'a\nb\nc|\nd'],
    ['a\r\n[b\r\nc]\r\nd', 'a\r\nb\r\nc|\r\nd'],
    ['[😀]', '😀|'],
    ['\t[x]', '\tx|'],
  ];
  for (const [before, after] of cases) {
    it(`${JSON.stringify(before)} becomes ${JSON.stringify(after)}`, () => {
      assert.equal(documentOf(accepted(suggestion(before))), after);
    });
  }
});

describe('the next step', () => {
  const cases: [before: string, taken: string, left: string][] = [
    ['[a·b]', 'a', 'a[b]'],
    ['[ab·c·d]', 'ab', 'ab[cd]'],
    ['x[return· a +· b]', 'return', 'xreturn[ a + b]'],
    ['[abc]', 'abc', 'nothing'],
    ['[·a]', 'a', 'nothing'],
    ['[a··b]', 'a', 'a[b]'],
    ['foo([a,· b)]<)>', 'a,', 'foo(a,[ b)]<)>'],
    ['{[\n  a();·\n}]<}>\n', '\n  a();', '{\n  a();[\n}]<}>\n'],
    ['[a\n·b]', 'a\n', 'a\n[b]'],
    ['[déjà· vu]', 'déjà', 'déjà[ vu]'],
    ['[😀·😀]', '😀', '😀[😀]'],
  ];
  for (const [before, taken, left] of cases) {
    it(`of ${JSON.stringify(before)} is ${JSON.stringify(taken)}`, () => {
      const whole = suggestion(before);
      assert.equal(nextStep(whole), taken);
      const { prefix, suffix, language } = whole.context;
      const context = { prefix: prefix + taken, suffix, language };
      assert.equal(notationOf(restOf(whole, context)), left);
    });
  }

  it('comes back step by step to the whole text', () => {
    let rest: Suggestion | undefined = suggestion('x[ab·c·defg·h]y');
    const taken: string[] = [];
    while (rest) {
      const step = nextStep(rest);
      taken.push(step);
      const { prefix, suffix, language }: CursorContext = rest.context;
      rest = restOf(rest, { prefix: prefix + step, suffix, language });
    }
    assert.deepEqual(taken, ['ab', 'c', 'defg', 'h']);
  });
});

describe('boundaries of steps', () => {
  const cases: [name: string, steps: string[], text: string, newline: string, ends: number[]][] = [
    ['are the ends of their texts', ['a', 'bc'], 'abc', '\n', [1, 3]],
    ['end where the text was cut', ['a', 'bc', 'd'], 'ab', '\n', [1, 2]],
    ['skip steps without text', ['', 'a', '', 'b'], 'ab', '\n', [1, 2]],
    ['count line breaks as the document has them', ['a\n', 'b\nc'], 'a\r\nb\r\nc', '\r\n', [3, 7]],
    ['read line breaks of the model', ['a\r\n', 'b'], 'a\nb', '\n', [2, 3]],
    ['are the end alone without steps', [], 'ab', '\n', [2]],
    ['do not repeat the end', ['ab'], 'ab', '\n', [2]],
  ];
  for (const [name, steps, text, newline, ends] of cases) {
    it(name, () => {
      assert.deepEqual(stepBoundaries(steps, text, cursor(`${newline}|`)), ends);
    });
  }
});

describe('what is left of a suggestion', () => {
  const cases: [name: string, before: string, now: string, left: string][] = [
    ['typed as suggested', 'a[bcd]', 'ab|', 'ab[cd]'],
    ['typed to the end', 'a[bcd]', 'abcd|', 'nothing'],
    ['typed beyond the end', 'a[bcd]', 'abcde|', 'nothing'],
    ['typed otherwise', 'a[bcd]', 'ax|', 'nothing'],
    ['typed in other case', 'a[Bcd]', 'ab|', 'nothing'],
    ['at the very place', 'a[bcd]', 'a|', 'a[bcd]'],
    ['in front of the place', 'ab[cd]', 'a|', 'nothing'],
    ['in another line', 'a\n[b]', 'a|\n', 'nothing'],
    ['typed over a line break', 'a[\n  b]', 'a\n|', 'a\n[  b]'],
    ['indented by the editor as suggested', 'a {[\n  b\n}]', 'a {\n  |', 'a {\n  [b\n}]'],
    ['indented further than suggested', 'a {[\n  b]', 'a {\n    |', 'nothing'],
    ['with text typed behind the cursor', 'a[b]', 'a|x', 'nothing'],
    ['with another suffix', 'a[b]\nc', 'a|\nd', 'nothing'],
    ['with a bracket closed by the editor', 'foo[(a)]', 'foo(|)', 'foo([a)]<)>'],
    ['with a brace closed by the editor', 'f()[ {\n  a\n}]\n', 'f() {|}\n', 'f() {[\n  a\n}]<}>\n'],
    ['with a quote closed by the editor', 'x = ["a"]', 'x = "|"', 'x = "[a"]<">'],
    ['with two brackets closed', 'f[({a})]', 'f({|})', 'f({[a})]<})>'],
    ['with a bracket that it does not close', 'foo[(a]', 'foo(|)', 'foo([a])'],
    ['with its closing bracket typed over', 'foo([a);]<)>', 'foo(a)|', 'foo(a)[;]'],
    ['before its closing bracket is typed over', 'foo([a);]<)>', 'foo(a|)', 'foo(a[);]<)>'],
    ['with a bracket gone that it does not replace', 'foo([a])', 'foo(|', 'nothing'],
    ['with CRLF', 'a\r\n[bc]\r\n', 'a\r\nb|\r\n', 'a\r\nb[c]\r\n'],
    ['of a document that was emptied', 'ab[c]', '|', 'nothing'],
  ];
  for (const [name, before, now, left] of cases) {
    it(`${name}: ${JSON.stringify(before)} at ${JSON.stringify(now)}`, () => {
      assert.equal(notationOf(restOf(suggestion(before), cursor(now))), left);
    });
  }

  it('in another language is nothing', () => {
    assert.equal(restOf(suggestion('a[b]', 'python'), cursor('a|', 'ruby')), undefined);
  });

  it('always makes the same document, however much of it was typed', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' ', '(', 'é'), maxLength: 12 });
    fc.assert(
      fc.property(
        word,
        word.filter((text) => text !== ''),
        word,
        fc.nat(),
        (prefix, text, suffix, n) => {
          const context = { prefix, suffix, language: 'python' };
          const whole = { context, text, replace: 0, boundaries: [text.length], open: false };
          const typed = text.slice(0, n % text.length);
          const rest = restOf(whole, { ...context, prefix: prefix + typed });
          assert.ok(rest);
          assert.equal(documentOf(accepted(rest)), documentOf(accepted(whole)));
          assert.equal(rest.boundaries.at(-1), rest.text.length);
        },
      ),
    );
  });
});

describe('what the editor is handed', () => {
  it('replaces the line from its start', () => {
    const shown = replacement(suggestion('a\n  foo([b)]<)>'));
    assert.deepEqual(shown, { left: 6, right: 1, text: '  foo(b)' });
  });

  it('begins as the selected item of a list demands', () => {
    const shown = replacement(suggestion('a.log[(b)]'), { typed: 'l', text: 'log' });
    assert.deepEqual(shown, { left: 1, right: 0, text: 'log(b)' });
  });
});

describe('the suggestions of a document', () => {
  function kept(...notations: string[]): Suggestions {
    const suggestions = new Suggestions();
    for (const notation of notations) suggestions.add(suggestion(notation));
    return suggestions;
  }
  const cases: [name: string, kept: string[], now: string, shown: string][] = [
    ['are none at first', [], 'a|', 'nothing'],
    ['give what fits', ['a[bc]'], 'ab|', 'ab[c]'],
    ['give the newest that fits', ['a[bc]', 'a[bd]'], 'ab|', 'ab[d]'],
    ['bring an earlier one back', ['a[bc]', 'ax[yz]'], 'a|', 'a[bc]'],
    ['bring the end of an earlier one back', ['a[bcd]', 'abx[yz]'], 'ab|', 'ab[cd]'],
    ['know what follows an acceptance', ['a[bc]', 'abc[\nd]'], 'abc|', 'abc[\nd]'],
    ['know it with the replaced text gone', ['f([a)]<)>', 'f(a)[;]'], 'f(a)|', 'f(a)[;]'],
  ];
  for (const [name, notations, now, shown] of cases) {
    it(name, () => assert.equal(notationOf(kept(...notations).at(cursor(now))), shown));
  }

  it('join what time cut short with what was asked for behind it', () => {
    const suggestions = new Suggestions();
    suggestions.add({ ...suggestion('a[bc]d'), open: true });
    suggestions.add(suggestion('abc[ef]d'));
    assert.equal(notationOf(suggestions.at(cursor('ab|d'))), 'ab[cef]d');
  });

  it('forget the oldest of very many', () => {
    const suggestions = kept('a[b]', ...Array.from({ length: 40 }, (_, index) => `${index}[x]`));
    assert.equal(suggestions.at(cursor('a|')), undefined);
    assert.ok(suggestions.at(cursor('39|')));
  });

  it('are gone when cleared', () => {
    const suggestions = kept('a[b]');
    suggestions.clear();
    assert.equal(suggestions.at(cursor('a|')), undefined);
  });

  it('keep the steps of what is joined', () => {
    const whole = joined(suggestion('a[b·c]'), suggestion('abc[d·ef]'));
    assert.deepEqual(whole.boundaries, [1, 2, 3, 5]);
  });
});

describe('from what the model wrote to the document after accepting', () => {
  const cases: [name: string, at: string, raw: string, multiline: boolean, after: string][] = [
    ['a plain end of line', 'a = |\n', '1;', false, 'a = 1;|\n'],
    ['one line of several', 'a = |\n', '1;\nb = 2;', false, 'a = 1;|\n'],
    ['a call between its brackets', 'f(|)\n', 'a, b)', false, 'f(a, b)|\n'],
    ['a call with semicolon between its brackets', 'f(|)\n', 'a, b);', false, 'f(a, b);|\n'],
    ['an inner call', 'f(|)\n', 'g(a)', false, 'f(g(a)|)\n'],
    ['an index', 'a[|]\n', 'i]', false, 'a[i]|\n'],
    ['a string', "x = '|'\n", "a'", false, "x = 'a'|\n"],
    ['a block between its braces', 'if (a) {|}\n', '\n  b();\n}', true, 'if (a) {\n  b();\n}|\n'],
    ['nothing at all', 'a|\n', '', false, 'a|\n'],
    ['only white space', 'a|\n', '  ', false, 'a|\n'],
    ['a copy of the next line', 'a\n|\nreturn c;\n', 'return c;', true, 'a\n|\nreturn c;\n'],
    ['a copy of the rest of the line', 'f(|, bar);\n', 'a, bar);', false, 'f(a|, bar);\n'],
    ['a line with carriage returns', 'a\r\n|\r\n', 'b\nc', true, 'a\r\nb\r\nc|\r\n'],
    ['a dedent', 'if a:\n    |\n', 'b()\nc()', true, 'if a:\n    b()|\n'],
    ['a fence', 'a = |\n', '1\n```\nThis', true, 'a = 1|\n'],
    ['a word of another script', 'x = |\n', '"日本"', false, 'x = "日本"|\n'],
  ];
  for (const [name, at, raw, multiline, after] of cases) {
    it(name, () => {
      const context = cursor(at, at.includes('if a:') ? 'python' : 'typescript');
      const shown = postprocess(raw, context, { multiline });
      const document = shown
        ? documentOf(accepted({ context, ...shown, boundaries: [shown.text.length], open: false }))
        : documentOf(context);
      assert.equal(document, after);
    });
  }
});
