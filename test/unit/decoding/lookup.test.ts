import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LookupIndex } from '../../../src/decoding/lookup';

const indexOf = (...tokens: number[]) => {
  const index = new LookupIndex();
  index.hold(tokens);
  return index;
};

/** Looks at every earlier place, latest first. */
function searchNaively(tokens: readonly number[], limit: number): number[] {
  for (const length of [3, 2]) {
    const wanted = tokens.slice(-length);
    if (wanted.length < length) continue;
    for (let end = tokens.length - 1; end >= length; end--) {
      const found = tokens.slice(end - length, end);
      if (found.every((token, i) => token === wanted[i])) return tokens.slice(end, end + limit);
    }
  }
  return [];
}

describe('LookupIndex', () => {
  it('drafts what followed the last three tokens', () => {
    assert.deepEqual(indexOf(1, 2, 3, 4, 5, 9, 1, 2, 3).draft(4), [4, 5, 9, 1]);
  });

  it('prefers three tokens to two that stand later', () => {
    assert.deepEqual(indexOf(1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3).draft(1), [4]);
  });

  it('falls back to two tokens', () => {
    assert.deepEqual(indexOf(8, 2, 3, 4, 5, 1, 2, 3).draft(2), [4, 5]);
  });

  it('takes the latest match', () => {
    assert.deepEqual(indexOf(1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3).draft(1), [5]);
  });

  it('drafts nothing without a match, or of a single token', () => {
    assert.deepEqual(indexOf(1, 2, 3, 4).draft(3), []);
    assert.deepEqual(indexOf(3, 1, 3).draft(3), []);
    assert.deepEqual(indexOf().draft(3), []);
  });

  it('matches text that overlaps itself', () => {
    assert.deepEqual(indexOf(7, 7, 7, 7).draft(5), [7]);
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
    assert.deepEqual(indexOf(...text, last, last - 1).draft(1), [2]);
    assert.deepEqual(indexOf(...text, last - 1, last).draft(1), [3]);
    assert.deepEqual(indexOf(...text, last, last).draft(1), [1]);
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
