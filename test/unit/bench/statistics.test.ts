import assert from 'node:assert/strict';
import fc from 'fast-check';
import { comparePaired, rateInterval } from '../../../bench/infilling/statistics';

type Pair = readonly [boolean, boolean];

function pairs(both: number, onlyFirst: number, onlySecond: number, neither: number): Pair[] {
  return [
    ...Array<Pair>(both).fill([true, true]),
    ...Array<Pair>(onlyFirst).fill([true, false]),
    ...Array<Pair>(onlySecond).fill([false, true]),
    ...Array<Pair>(neither).fill([false, false]),
  ];
}

function near(actual: number, expected: number, within = 1e-4): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}

describe('the interval of a rate', () => {
  it("is Wilson's", () => {
    const { low, high } = rateInterval(8, 10);
    near(low, 0.49016);
    near(high, 0.94331);
  });

  it('stays within 0 and 1 at the ends', () => {
    near(rateInterval(0, 10).low, 0);
    near(rateInterval(0, 10).high, 0.27753);
    near(rateInterval(10, 10).high, 1);
  });

  it('is everything without observations', () => {
    assert.deepEqual(rateInterval(0, 0), { low: 0, high: 1 });
  });
});

describe('a paired comparison', () => {
  it('counts the four kinds of tasks', () => {
    const result = comparePaired(pairs(50, 5, 15, 30));
    assert.deepEqual(
      [result.tasks, result.both, result.onlyFirst, result.onlySecond, result.neither],
      [100, 50, 5, 15, 30],
    );
    near(result.difference, 0.1, 1e-12);
  });

  it('has the interval of the mean of the paired differences', () => {
    // Standard deviation of 5 times -1, 15 times +1, 80 times 0: sqrt(19 / 99).
    const { interval } = comparePaired(pairs(50, 5, 15, 30));
    near(interval.low, 0.1 - 1.959964 * Math.sqrt(19 / 99 / 100), 1e-6);
    near(interval.high, 0.1 + 1.959964 * Math.sqrt(19 / 99 / 100), 1e-6);
  });

  it("has McNemar's exact p", () => {
    near(comparePaired(pairs(50, 5, 15, 30)).pValue, 0.041389, 1e-6);
    near(comparePaired(pairs(0, 1, 8, 1)).pValue, 0.0390625, 1e-9);
  });

  it('finds nothing between equal outcomes', () => {
    const result = comparePaired(pairs(7, 0, 0, 3));
    assert.deepEqual(result.interval, { low: 0, high: 0 });
    near(result.pValue, 1, 1e-12);
  });

  it('is sure when the second always wins', () => {
    const result = comparePaired(pairs(0, 0, 10, 0));
    assert.deepEqual(result.interval, { low: 1, high: 1 });
    near(result.pValue, 2 / 1024, 1e-9);
  });

  it('refuses a single task', () => {
    assert.throws(() => comparePaired([[true, false]]), /at least two/);
  });

  it('turns round when the two change places', () => {
    const outcomes = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 2 });
    fc.assert(
      fc.property(outcomes, (given) => {
        const there = comparePaired(given);
        const back = comparePaired(given.map(([a, b]) => [b, a] as const));
        near(there.difference, -back.difference, 1e-12);
        near(there.interval.low, -back.interval.high, 1e-12);
        near(there.pValue, back.pValue, 1e-12);
        assert.ok(there.pValue >= 0 && there.pValue <= 1);
      }),
    );
  });
});
