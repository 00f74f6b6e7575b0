/** Documents as in notation.ts; the steps that the model has written so far stand in a list. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { postprocess } from '../../../src/completion/postprocess';
import { nextStep } from '../../../src/completion/suggestion';
import { firstLine, mayBecome, soFar } from '../../../src/completion/underway';
import { at, shown } from './notation';

describe('a completion under way', () => {
  const cases: [asked: string, steps: string[], now: string, may: boolean][] = [
    ['let a = |', [], 'let a = |', true],
    ['let a = |', [], 'let a = b|', true],
    ['let a = |', ['bar'], 'let a = b|', true],
    ['let a = |', ['bar'], 'let a = bar|', true],
    ['let a = |', ['bar'], 'let a = bart|', true],
    ['let a = |', ['ba', 'r('], 'let a = bar|', true],
    ['let a = |', ['bar'], 'let a = c|', false],
    ['let a = |', ['bar'], 'let a =|', false],
    ['let a = |', ['bar'], 'let b = |', false],
    ['foo|', ['(a, b)'], 'foo(|)', true],
    ['foo(|)', ['a, b)'], 'foo(a, b)|', true],
    ['foo|\nbar', ['x'], 'foo|\nbaz', false],
    ['if (a) {|}', ['\n  b();\n}'], 'if (a) {\n  |\n}', false],
    ['if (a) {|', ['\n  b();'], 'if (a) {\n  |', true],
    ['a\r\nb|\r\n', ['c\nd'], 'a\r\nbc\r\nd|\r\n', true],
  ];
  for (const [asked, steps, now, may] of cases) {
    const verb = may ? 'may be' : 'is not';
    it(`${JSON.stringify(asked)} with ${JSON.stringify(steps)} ${verb} the answer at ${JSON.stringify(now)}`, () => {
      assert.equal(mayBecome({ context: at(asked), steps }, at(now)), may);
    });
  }

  it('is not the answer in another language', () => {
    const context = at('a|', 'python');
    assert.equal(mayBecome({ context, steps: [] }, at('a|', 'markdown')), false);
  });
});

describe('what there is of a completion under way', () => {
  const cases: [asked: string, steps: string[], seen: string][] = [
    ['let a = |', [], 'let a = |'],
    ['let a = |', ['one', ' + '], 'let a = ⟦one +⟧'],
    // Half a line is of no use where several are shown.
    ['|', ['a();\n', 'b('], '⟦a();⟧'],
    ['f(|)', ['a, b)'], 'f(⟦a, b)⟧‹)›'],
  ];
  for (const [asked, steps, seen] of cases) {
    it(`of ${JSON.stringify(steps)} is ${JSON.stringify(seen)}`, () => {
      const context = at(asked);
      assert.equal(shown(context, soFar({ context, steps }, asked === '|')), seen);
    });
  }
});

describe('the first line of a completion under way', () => {
  const cases: [asked: string, steps: string[], seen: string][] = [
    ['def f():\n    |', ['return', ' 1'], 'def f():\n    |'],
    ['def f():\n    |', ['return 1', '\n'], 'def f():\n    ⟦return 1⟧'],
    ['def f():\n    |', ['x = 1\n    re', 'turn x'], 'def f():\n    ⟦x = 1⟧'],
    ['def f():|', ['\n', '    return 1\n'], 'def f():⟦\n    return 1⟧'],
    ['def f():|', ['\n', '    return 1'], 'def f():|'],
    ['a\r\ndef f():|\r\n', ['\n    return 1\n'], 'a\r\ndef f():⟦\r\n    return 1⟧\r\n'],
    // The rest decides whether the brackets are replaced.
    ['f({|})', ['\n  a: 1,\n'], 'f({|})'],
    // A copy of what follows is not shown.
    ['|\nreturn total;', ['return total;\n'], '|\nreturn total;'],
  ];
  for (const [asked, steps, seen] of cases) {
    it(`of ${JSON.stringify(steps)} is ${JSON.stringify(seen)}`, () => {
      const context = at(asked, 'python');
      assert.equal(shown(context, firstLine({ context, steps })), seen);
    });
  }

  it('knows where the steps end in it', () => {
    const line = firstLine({ context: at('|'), steps: ['a', ' b', ' c\nd'] });
    assert.ok(line);
    assert.equal(nextStep(line), 'a');
    assert.deepEqual(line.boundaries, [1, 3, 5]);
  });

  it('is the beginning of what is shown in the end, unless that is cut before it', () => {
    const line = fc.array(fc.constantFrom('a', 'b ', '(', ')', '{', '}', ';', 'return'), {
      minLength: 1,
      maxLength: 6,
    });
    const text = fc
      .array(
        line.map((parts) => parts.join('')),
        { minLength: 2, maxLength: 5 },
      )
      .map((lines) => lines.map((each) => `  ${each}`).join('\n'));
    fc.assert(
      fc.property(text, (raw) => {
        const context = at('function f() {\n|\n}');
        const first = firstLine({ context, steps: [raw] });
        const whole = postprocess(raw, context, { multiline: true });
        if (!first || !whole) return;
        assert.ok(whole.text.startsWith(first.text) || first.text.startsWith(whole.text));
      }),
    );
  });
});
