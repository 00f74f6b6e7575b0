import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  editSimilarity,
  levenshtein,
  regression,
  sameQuality,
} from '../../../../bench/eval/statistics';
import { pairedDifference, type ScorePair } from '../../../../bench/steps/paired';

function near(actual: number, expected: number, within = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}

const repeated = (count: number, pair: ScorePair) => Array<ScorePair>(count).fill(pair);

describe('the same quality', () => {
  /** Every pair of a problem of its own. */
  const same = (pairs: ScorePair[]) => sameQuality(pairedDifference(pairs.map((pair) => [pair])));

  it('is shown by equal outcomes of as many problems as the rule of three wants', () => {
    assert.deepEqual(
      [149, 150].map((count) => same(repeated(count, [1, 1]))),
      [false, true],
    );
  });

  it('is not shown by four equal outcomes', () => assert.equal(same(repeated(4, [1, 1])), false));

  it('is not shown by many equal outcomes of few files', () => {
    const files = Array.from({ length: 6 }, () => repeated(40, [1, 1]));
    assert.equal(sameQuality(pairedDifference(files)), false);
  });

  it('is lost with one task in ten', () =>
    assert.equal(same([...repeated(900, [1, 1]), ...repeated(100, [1, 0])]), false));

  it('is not shown by tasks that differ both ways', () =>
    assert.equal(
      same([...repeated(180, [1, 1]), ...repeated(8, [1, 0]), ...repeated(8, [0, 1])]),
      false,
    ));

  it('is shown by many tasks of which few differ', () =>
    assert.equal(same([...repeated(1030, [1, 1]), [1, 0], [1, 0], [0, 1]]), true));

  it('is not shown without tasks', () => assert.equal(same([]), false));

  it('ends at two points below, and at 150', () => {
    const shown = (low: number, clusters: number) =>
      sameQuality({ interval: { low, high: 0 }, clusters });
    assert.deepEqual([shown(-0.02, 150), shown(-0.0201, 150), shown(0, 149)], [true, false, false]);
  });
});

describe('edit distance', () => {
  for (const [one, other, distance] of [
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['flaw', 'lawn', 2],
    ['a😀b', 'ab', 1],
    ['same', 'same', 0],
  ] as const) {
    it(`of ${one} and ${other} is ${distance}`, () =>
      assert.equal(levenshtein(one, other), distance));
  }

  it('becomes similarity by the longer text', () => {
    near(editSimilarity('kitten', 'sitting'), 1 - 3 / 7);
    near(editSimilarity('x = 1\n', 'x = 1'), 1);
    near(editSimilarity('', ''), 1);
    near(editSimilarity('', 'ab'), 0);
  });

  it('is a distance', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        assert.equal(levenshtein(a, b), levenshtein(b, a));
        assert.equal(levenshtein(a, b) === 0, a === b);
        assert.ok(levenshtein(a, c) <= levenshtein(a, b) + levenshtein(b, c));
      }),
    );
  });
});

describe('a regression', () => {
  it('is the line of least squares', () => {
    // By hand: means 2 and 3; slope (−1·−1 + 0·1 + 1·0) / 2 = 0.5.
    const { slope, intercept } = regression([
      [1, 2],
      [2, 4],
      [3, 3],
    ]);
    near(slope, 0.5);
    near(intercept, 2);
  });
});
