import assert from 'node:assert/strict';
import { chooseFiles, excerpt } from '../../../src/completion/other-files';

const file = (
  name: string,
  language = 'python',
  text = `def ${name}():\n    pass\nclass A:\n`,
) => ({
  name,
  language,
  text,
});

describe('other files for the prompt', () => {
  it('are of the same language', () => {
    const chosen = chooseFiles({ language: 'python', text: '' }, [
      file('a.py'),
      file('b.go', 'go'),
    ]);
    assert.deepEqual(
      chosen.map(({ name }) => name),
      ['a.py'],
    );
  });
  it('may be of a related language', () => {
    const candidates = [file('a.tsx', 'typescriptreact')];
    assert.equal(chooseFiles({ language: 'typescript', text: '' }, candidates).length, 1);
  });
  it('are first those that the document imports', () => {
    const candidates = ['a.py', 'b.py', 'c.py', 'stock.py'].map((name) => file(name));
    const own = { language: 'python', text: 'from stock import Item\n' };
    const names = chooseFiles(own, candidates).map(({ name }) => name);
    assert.deepEqual(names, ['a.py', 'stock.py']);
  });
  it('have one order, whichever was used last', () => {
    const own = { language: 'python', text: '' };
    const [a, b] = [file('a.py'), file('b.py')];
    assert.deepEqual(chooseFiles(own, [a, b]), chooseFiles(own, [b, a]));
  });
});

describe('the excerpt of a file', () => {
  it('is its declarations', () => {
    const text =
      'import os\n\nclass A:\n    """Text."""\n\n    def f(self) -> int:\n        return 1\n';
    assert.equal(excerpt(text), 'class A:\n    def f(self) -> int:');
  });
  it('knows TypeScript', () => {
    const text = 'export interface A {\n  b: number;\n}\nexport const f = (a: A) => a.b;\nf(x);\n';
    assert.equal(excerpt(text), 'export interface A {\nexport const f = (a: A) => a.b;');
  });
  it('is its beginning where there are none', () => {
    assert.equal(excerpt('a = 1\n\nb = 2\n'), 'a = 1\nb = 2');
  });
  it('is short', () => {
    assert.ok(excerpt('def f(): pass\n'.repeat(1000)).length <= 800);
  });
});
