import assert from 'node:assert/strict';
import { clusterOf } from '../../../bench/steps/clusters';
import { pairedDifference, scoreInterval, type ScorePair } from '../../../bench/steps/paired';
import { comparePaired } from '../../../bench/infilling/statistics';

function near(actual: number, expected: number, within = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}

const repeated = (count: number, pair: ScorePair) => Array<ScorePair>(count).fill(pair);
/** Every pair a cluster of its own. */
const apart = (pairs: readonly ScorePair[]) => pairs.map((pair) => [pair]);

describe('clusters', () => {
  for (const [kind, id, cluster] of [
    ['line', 'SingleLineInfilling/HumanEval/95/L2', 'SingleLineInfilling/HumanEval/95'],
    ['span', 'RandomSpanInfillingLight/HumanEval/0/1', 'RandomSpanInfillingLight/HumanEval/0'],
    ['held-out', 'lipgloss-layer.go.txt:13', 'lipgloss-layer.go.txt'],
    ['own', 'src/models/gguf.ts:7', 'src/models/gguf.ts'],
    ['sentence', 'How can we #3', 'How can we'],
    ['prose', 'vicuna/81', 'vicuna/81'],
  ] as const) {
    it(`of ${kind}: ${id} is of ${cluster}`, () => assert.equal(clusterOf({ kind, id }), cluster));
  }
});

describe('the paired difference', () => {
  it('is that of the means', () => {
    const { tasks, clusters, plain, own, difference } = pairedDifference([
      [
        [1, 1],
        [1, 0],
      ],
      [[0, 0]],
      [[0.5, 1]],
    ]);
    assert.deepEqual([tasks, clusters], [4, 3]);
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
    const { interval } = pairedDifference(apart(pairs));
    const normal = comparePaired(pairs.map(([a, b]) => [a === 1, b === 1])).interval;
    near(interval.low, normal.low, 0.003);
    near(interval.high, normal.high, 0.003);
  });

  it('is the same every time, and another with another seed', () => {
    const pairs = apart([
      ...Array.from({ length: 60 }, (_, i): ScorePair => [0.5, (i % 7) / 6]),
      ...repeated(45, [1, 1]),
    ]);
    assert.deepEqual(pairedDifference(pairs), pairedDifference(pairs));
    assert.notDeepEqual(pairedDifference(pairs, 1), pairedDifference(pairs, 2));
  });

  for (const [what, files] of [
    ['that differ', [-1, 0, 1, 0, 0]],
    ['of which none differs', [0, 0, 0, 0, 0]],
    ['with parts of a score', [-0.5, 0.1, 0, -0.3, 0]],
  ] as const) {
    it(`of 5 files with 40 equal places each has the interval of 5 places, ${what}`, () => {
      const pair = (value: number): ScorePair => [0.5, 0.5 + value];
      const many = pairedDifference(files.map((value) => repeated(40, pair(value)))).interval;
      const few = pairedDifference(files.map((value) => [pair(value)])).interval;
      near(many.low, few.low);
      near(many.high, few.high);
    });
  }

  it('is no surer than the rule of three where nothing differs', () => {
    assert.deepEqual(pairedDifference(apart(repeated(4, [1, 1]))).interval, {
      ...{ low: -0.75, high: 0.75 },
    });
    assert.deepEqual(pairedDifference(apart(repeated(150, [1, 1]))).interval, {
      ...{ low: -0.02, high: 0.02 },
    });
  });

  it('is unsure of few that differ: one of 164 may be more than three in a hundred', () => {
    const { interval } = pairedDifference(apart([...repeated(163, [1, 1]), [1, 0]]));
    near(interval.low, -0.0337262507, 1e-6);
  });

  it('takes six tests of one problem that fail together for one event', () => {
    const problems = [
      repeated(6, [1, 0]),
      ...Array.from({ length: 163 }, () => repeated(6, [1, 1])),
    ];
    const { interval } = pairedDifference(problems);
    near(interval.low, -0.0337262507, 1e-6);
  });
});

describe('the score interval', () => {
  // By brute force: the likelihood under the difference maximised numerically (Tango's own is not closed).
  for (const [gained, lost, total, low, high] of [
    [12, 2, 50, 0.0611124054, 0.3447087492],
    [0, 1, 164, -0.0337262507, 0.0169294216],
    [0, 0, 150, -0.0249702444, 0.0249702444],
    [40, 60, 1033, -0.0388319212, -0.0003944324],
    [1, 1, 5, -0.5357779343, 0.5357779344],
  ] as const) {
    it(`of ${gained} gained and ${lost} lost among ${total} is ${low} to ${high}`, () => {
      const interval = scoreInterval(gained, lost, total);
      near(interval.low, low, 1e-6);
      near(interval.high, high, 1e-6);
    });
  }
});
