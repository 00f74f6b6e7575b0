import assert from 'node:assert/strict';
import fc from 'fast-check';
import { afterChanges } from '../../../src/completion/place';

const change = (rangeOffset: number, rangeLength: number, text: string) => ({
  rangeOffset,
  rangeLength,
  text,
});

describe('the place of a text that is being written', () => {
  const cases: [name: string, change: ReturnType<typeof change>, start: number | undefined][] = [
    ['moves with what is inserted in front', change(0, 0, 'abc'), 13],
    ['moves with what is deleted in front', change(2, 4, ''), 6],
    ['moves with what is inserted right at its start', change(10, 0, 'a'), 11],
    ['stays with what is inserted behind', change(25, 0, 'abc'), 10],
    ['stays with what is inserted right at its end', change(20, 0, 'abc'), 10],
    ['is lost when something is inserted within', change(15, 0, 'a'), undefined],
    ['is lost when a part of it is deleted', change(8, 4, ''), undefined],
  ];
  for (const [name, what, start] of cases) {
    it(name, () => assert.equal(afterChanges({ start: 10, end: 20 }, [what])?.start, start));
  }

  it('holds the same text after any change elsewhere', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(10), fc.string({ maxLength: 5 }), (at, length, text) => {
        const document = 'abcdefghijTHE PLACE!klmnopqrstuvwxyzabcdefghijklmnopqrst';
        const stretch = afterChanges({ start: 10, end: 20 }, [change(at, length, text)]);
        if (!stretch) return;
        const after = document.slice(0, at) + text + document.slice(at + length);
        assert.equal(after.slice(stretch.start, stretch.end), 'THE PLACE!');
      }),
    );
  });
});
