import assert from 'node:assert/strict';
import fc from 'fast-check';
import { linesOf, TOO_LONG } from '../../../src/cli/lines';

async function lines(chunks: readonly string[], most = 100): Promise<unknown[]> {
  async function* stream() {
    for (const chunk of chunks) yield await Promise.resolve(chunk);
  }
  const found: unknown[] = [];
  for await (const line of linesOf(stream(), most)) found.push(line);
  return found;
}

describe('linesOf', () => {
  it('needs no line break at the end', async () => {
    assert.deepEqual(await lines(['a\nb']), ['a', 'b']);
    assert.deepEqual(await lines(['a\nb\n']), ['a', 'b']);
    assert.deepEqual(await lines(['\n\na']), ['', '', 'a']);
    assert.deepEqual(await lines([]), []);
  });

  it('breaks at nothing else', async () => {
    assert.deepEqual(await lines(['a\u2028b\u2029c\u0085d\re\n']), ['a\u2028b\u2029c\u0085d\re']);
  });

  it('drops a line that is too long, and goes on', async () => {
    assert.deepEqual(await lines(['abc', 'd\nabc\nabcdef'], 3), [TOO_LONG, 'abc', TOO_LONG]);
  });

  it('does not care where chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n') })),
        async (chunks) => {
          const text = chunks.join('');
          const expected = text.split('\n');
          if (expected.at(-1) === '') expected.pop();
          assert.deepEqual(await lines(chunks), expected);
        },
      ),
    );
  });
});
