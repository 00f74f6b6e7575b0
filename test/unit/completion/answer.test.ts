import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Answer, unindented, visibleAnswer } from '../../../src/completion/answer';
import { generateInstruction, rewriteInstruction } from '../../../src/completion/instruction';

const place = { kind: 'block', indent: '', newline: '\n' } as const;

describe('the answer to an instruction', () => {
  const cases: [name: string, raw: string, shown: string, indent?: string, newline?: '\r\n'][] = [
    ['is what the model writes', 'a = 1', 'a = 1'],
    ['ends at its fence', 'a = 1\n```\nThis sets a.', 'a = 1'],
    ['ends at an indented fence', 'a = 1\n  ```', 'a = 1'],
    ['has no blank lines around it', '\n\na = 1\n\n', 'a = 1'],
    ['keeps a quoted backtick', 'a = `b`\nc', 'a = `b`\nc'],
    ['is indented as its place', 'if a:\n    b()\n\nc()', 'if a:\n      b()\n\n  c()', '  '],
    ['has line breaks as its document', 'a\nb', 'a\r\nb', '', '\r\n'],
    ['reads line breaks of the model', 'a\r\nb', 'a\nb'],
    ['is empty when only a fence comes', '```', ''],
  ];
  for (const [name, raw, shown, indent = '', newline = '\n'] of cases) {
    it(name, () => {
      assert.equal(visibleAnswer(raw, { kind: 'block', indent, newline }, true), shown);
    });
  }

  it('keeps the fences of a text, which nothing has opened', () => {
    const text = 'Run it:\n\n```sh\nnpm test\n```\n\nThen read on.';
    const answer = new Answer({ ...place, kind: 'text' });
    assert.equal(answer.push(text) + answer.end(), text);
    assert.equal(answer.closed, false);
  });

  const kind = fc.constantFrom('block' as const, 'text' as const, 'continuation' as const);

  it('comes in pieces that are never taken back, whatever the pieces', () => {
    const piece = fc.stringMatching(/^[ab`\n\r ]{0,4}$/);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), kind, (pieces, kind) => {
        const there = { kind, indent: '  ', newline: '\n' } as const;
        const answer = new Answer(there);
        const shown = pieces.map((each) => answer.push(each)).join('') + answer.end();
        assert.equal(shown, visibleAnswer(pieces.join(''), there, true));
      }),
    );
  });

  it('knows when its block is closed', () => {
    const answer = new Answer(place);
    answer.push('a\n``');
    assert.equal(answer.closed, false);
    answer.push('`');
    assert.equal(answer.closed, true);
  });
});

describe('the continuation of a text', () => {
  const cases: [name: string, pieces: string[], written: string, newline?: '\r\n'][] = [
    ['keeps the line break that it begins with', ['\n    x = a', ' + b\n'], '\n    x = a + b\n'],
    ['keeps fences and what follows them', ['a\n```\nb\n``', '`\nc'], 'a\n```\nb\n```\nc'],
    ['keeps white space at its end', ['a  ', '\n\n'], 'a  \n\n'],
    ['has line breaks as its document', ['a\n', '\nb'], 'a\r\n\r\nb', '\r\n'],
    ['reads a line break in two pieces as one', ['a\r', '\nb\r'], 'a\nb\n'],
  ];
  for (const [name, pieces, written, newline = '\n'] of cases) {
    it(name, () => {
      const answer = new Answer({ kind: 'continuation', indent: '', newline });
      assert.equal(pieces.map((each) => answer.push(each)).join('') + answer.end(), written);
      assert.equal(answer.closed, false);
    });
  }
});

describe('the indentation of a selection', () => {
  it('is what its lines share', () => {
    assert.deepEqual(unindented('    a\n\n      b'), { text: 'a\n\n  b', indent: '    ' });
  });
  it('is none where a line has none', () => {
    assert.deepEqual(unindented('a\n  b'), { text: 'a\n  b', indent: '' });
  });
});

describe('an instruction', () => {
  const context = { prefix: 'def f():\n', suffix: '', language: 'python' };
  it('names the language and begins the answer', () => {
    const { prompt, begun } = generateInstruction('a sum', context);
    assert.match(prompt, /Python code so far:\n```\ndef f\(\):\n```\n.*a sum/s);
    assert.equal(begun, '```python\n');
  });
  it('asks for text in a text', () => {
    const { prompt, begun } = generateInstruction('a poem', { ...context, language: 'markdown' });
    assert.match(prompt, /a poem\nAnswer with the text alone\.$/);
    assert.equal(begun, '');
  });
  it('holds the selection that is to be rewritten', () => {
    const { prompt } = rewriteInstruction('add types', 'a = 1', context);
    assert.match(prompt, /add types\n```python\na = 1\n```/);
  });
  it('does not hold all of a long document', () => {
    const long = { ...context, prefix: 'x = 1\n'.repeat(10_000) };
    assert.ok(generateInstruction('a sum', long).prompt.length < 3000);
  });
});
