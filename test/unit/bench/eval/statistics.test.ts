import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  editSimilarity,
  levenshtein,
  pairedDifference,
  regression,
  sameQuality,
  stepShares,
  type ScorePair,
} from '../../../../bench/eval/statistics';
import { comparePaired } from '../../../../bench/infilling/statistics';

function near(actual: number, expected: number, within = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}

const repeated = (count: number, pair: ScorePair) => Array<ScorePair>(count).fill(pair);

describe('the paired difference', () => {
  it('is that of the means', () => {
    const { tasks, plain, own, difference } = pairedDifference([
      [1, 1],
      [1, 0],
      [0, 0],
      [0.5, 1],
    ]);
    assert.equal(tasks, 4);
    near(plain, 0.625);
    near(own, 0.5);
    near(difference, -0.125);
  });

  it('has the interval of the normal approximation, nearly, where tasks are many', () => {
    const pairs = [
      ...repeated(700, [1, 1]),
      ...repeated(60, [1, 0]),
      ...repeated(40, [0, 1]),
      ...repeated(233, [0, 0]),
    ];
    const { interval } = pairedDifference(pairs);
    const normal = comparePaired(pairs.map(([a, b]) => [a === 1, b === 1])).interval;
    near(interval.low, normal.low, 0.003);
    near(interval.high, normal.high, 0.003);
  });

  it('is the same every time, and another with another seed', () => {
    const pairs = [...repeated(30, [1, 0]), ...repeated(25, [0, 1]), ...repeated(45, [1, 1])];
    assert.deepEqual(pairedDifference(pairs), pairedDifference(pairs));
    assert.notDeepEqual(pairedDifference(pairs, 1), pairedDifference(pairs, 2));
  });
});

describe('the same quality', () => {
  const same = (pairs: ScorePair[]) => sameQuality(pairedDifference(pairs));

  it('is shown by equal outcomes', () => assert.equal(same(repeated(50, [1, 1])), true));

  it('is lost with one task in ten', () =>
    assert.equal(same([...repeated(900, [1, 1]), ...repeated(100, [1, 0])]), false));

  it('is not shown by few tasks that differ both ways', () =>
    assert.equal(same([...repeated(18, [1, 1]), [1, 0], [0, 1]]), false));

  it('is not shown without tasks', () => assert.equal(same([]), false));

  it('ends at two points below', () => {
    const interval = (low: number) => ({ interval: { low, high: 0 } });
    assert.equal(sameQuality(interval(-0.02)), true);
    assert.equal(sameQuality(interval(-0.0201)), false);
  });
});

describe('shares of steps', () => {
  it('count steps by their tokens', () =>
    assert.deepEqual(stepShares([1, 3, 1, 1]), [0.75, 0, 0.25]));
  it('are none without steps', () => assert.deepEqual(stepShares([]), []));
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
