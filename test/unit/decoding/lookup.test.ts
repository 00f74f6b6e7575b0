import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LookupIndex, type LookedUp } from '../../../src/decoding/lookup';

const indexOf = (...tokens: number[]) => {
  const index = new LookupIndex();
  index.hold(tokens);
  return index;
};

/** Looks at every earlier place, latest first. */
function searchNaively(tokens: readonly number[], limit: number): LookedUp {
  const agreement = (end: number) => {
    let length = 0;
    while (length < 16 && length < end && tokens[end - 1 - length] === tokens.at(-1 - length)) {
      length++;
    }
    return length;
  };
  const places = Array.from({ length: Math.max(0, tokens.length - 1) }, (_, i) => i + 1).reverse();
  for (const least of [3, 2, 1]) {
    const ends = places.filter((end) => agreement(end) >= least).slice(0, 8);
    if (ends.length === 0) continue;
    const match = Math.max(...ends.map(agreement));
    const end = ends.find((each) => agreement(each) === match) ?? 0;
    return { tokens: tokens.slice(end, end + limit), match };
  }
  return { tokens: [], match: 0 };
}

const draft = (limit: number, ...tokens: number[]) => [...indexOf(...tokens).draft(limit).tokens];

describe('LookupIndex', () => {
  it('drafts what followed the last three tokens', () => {
    assert.deepEqual(draft(4, 1, 2, 3, 4, 5, 9, 1, 2, 3), [4, 5, 9, 1]);
  });

  it('prefers three tokens to two that stand later', () => {
    assert.deepEqual(draft(1, 1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3), [4]);
  });

  it('falls back to two tokens, then to one, and tells how many agreed', () => {
    assert.deepEqual(indexOf(8, 2, 3, 4, 5, 1, 2, 3).draft(2), { tokens: [4, 5], match: 2 });
    assert.deepEqual(indexOf(3, 1, 9, 3).draft(2), { tokens: [1, 9], match: 1 });
  });

  it('takes the longest match, the latest of equals', () => {
    assert.deepEqual(draft(1, 9, 1, 2, 3, 4, 1, 2, 3, 5, 9, 1, 2, 3), [4]);
    assert.deepEqual(draft(1, 1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3), [5]);
  });

  it('drafts nothing without a match', () => {
    assert.deepEqual(draft(3, 1, 2, 3, 4), []);
    assert.deepEqual(draft(3), []);
  });

  it('matches text that overlaps itself', () => {
    assert.deepEqual(indexOf(7, 7, 7, 7).draft(5), { tokens: [7], match: 3 });
  });

  it('equals a search through everything, whatever is appended and taken back', () => {
    const change = fc.oneof(
      { weight: 6, arbitrary: fc.record({ append: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ hold: fc.array(fc.nat(3), { maxLength: 20 }) }) },
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), fc.nat(8), (changes, limit) => {
        const index = new LookupIndex();
        let tokens: number[] = [];
        for (const next of changes) {
          if ('append' in next) {
            tokens.push(next.append);
            index.append(next.append);
          } else if ('keep' in next) {
            tokens = tokens.slice(0, Math.floor(tokens.length * next.keep));
            index.rewind(tokens.length);
          } else {
            tokens = [...tokens.slice(0, 10), ...next.hold];
            index.hold(tokens);
          }
          assert.equal(index.length, tokens.length);
          assert.deepEqual(index.draft(limit), searchNaively(tokens, limit));
        }
      }),
    );
  });

  it('tells neighbouring ids of the largest vocabulary apart', () => {
    const last = 208_062;
    const text = [last, last, 1, last, last - 1, 2, last - 1, last, 3];
    assert.deepEqual(draft(1, ...text, last, last - 1), [2]);
    assert.deepEqual(draft(1, ...text, last - 1, last), [3]);
    assert.deepEqual(draft(1, ...text, last, last), [1]);
  });

  it('rejects ids and lengths that make no sense', () => {
    const index = indexOf(1, 2);
    for (const token of [-1, 1.5, NaN, 208_063]) {
      assert.throws(() => index.append(token), RangeError);
    }
    for (const length of [-1, 3, 0.5]) assert.throws(() => index.rewind(length), RangeError);
    assert.equal(index.length, 2);
  });
});
