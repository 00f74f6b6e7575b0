import assert from 'node:assert/strict';
import { Blur } from '../../../src/decoding/blur';
import { Cells } from '../../../src/decoding/cells';
import { createFastChooser } from '../../../src/decoding/fast-choice';
import { otsuThreshold } from '../../../src/decoding/threshold';
import goldens from '../../fixtures/oracle/decoding.json';
import { blurCase, imageCase, oracleCase } from './oracle-cases';

const near = (actual: number | undefined, expected: number | null, what: string) => {
  const difference = Math.abs((actual ?? NaN) - (expected ?? NaN));
  assert.ok(difference <= 1e-9 * Math.abs(expected ?? 0), `${what}: ${actual}, not ${expected}`);
};

type Golden = [
  number,
  number[],
  number,
  [number, number | null, number, number, boolean, string][],
];

describe('decoding goldens', () => {
  it(`has the ${goldens.decisions.length} decisions of the NumPy oracle`, () => {
    for (const [seed, ids, joint, tried] of goldens.decisions as Golden[]) {
      const what = `case ${seed}`;
      const { options, proposal, recent } = oracleCase(seed);
      const decision = createFastChooser(options)(proposal, recent);
      assert.deepEqual(
        decision.choices.map(({ id }) => id),
        ids,
        what,
      );
      near(decision.joint, joint, what);
      assert.deepEqual(
        decision.tried.map((trace) => [
          trace.order,
          trace.survivors,
          trace.unmasked,
          trace.outcome,
          trace.adaptiveThreshold === undefined,
        ]),
        tried.map(([order, adaptive, survivors, , unmasked, outcome]) => [
          order,
          survivors,
          unmasked,
          outcome,
          adaptive === null,
        ]),
        what,
      );
      for (const [index, [, adaptive, , largest]] of tried.entries()) {
        near(decision.tried[index]?.largest, largest, what);
        if (adaptive !== null) near(decision.tried[index]?.adaptiveThreshold, adaptive, what);
      }
    }
  });

  it("has scikit-image's Otsu thresholds, zeros given as a number or as values", () => {
    for (const [seed, expected] of goldens.otsu.entries()) {
      const values = imageCase(seed);
      near(otsuThreshold({ values, zeros: 0 }), expected, `image ${seed}`);
      const others = values.filter((value) => value !== 0);
      const zeros = values.length - others.length;
      near(otsuThreshold({ values: others, zeros }), expected, `image ${seed} without zeros`);
    }
  });

  it("has OpenCV's and SciPy's blurs, to the bit", () => {
    const blur = new Blur();
    for (const [seed, expected] of goldens.blurs.entries()) {
      const { shape, values } = blurCase(seed);
      const cells = new Cells();
      for (const [place, value] of values.entries()) if (value > 0) cells.add(place, value);
      const blurred = blur.apply(cells, shape);
      const sorted = [...blurred.values, ...Array<number>(blurred.zeros).fill(0)].sort(ascending);
      assert.deepEqual(sorted, expected.toSorted(ascending), `shape ${shape.join(' × ')}`);
    }
  });
});

const ascending = (a: number, b: number) => a - b;
