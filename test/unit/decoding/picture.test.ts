import assert from 'node:assert/strict';
import fc from 'fast-check';
import { partOf, tableOfPart } from '../../../src/decoding/cooccurrence-part';
import { createFastChooser } from '../../../src/decoding/fast-choice';
import {
  likeliestDecision,
  pictureOf,
  Pictures,
  type Picture,
} from '../../../src/decoding/picture';
import type { Proposal } from '../../../src/decoding/proposal';
import { predict } from '../../fixtures/scripted-stepper';
import { anyOptions, anyProposal, anyTable } from './arbitrary';

const proposal: Proposal = {
  kind: 'independent',
  heads: [predict([1, 0.6], [2, 0.4]), predict([3, 0.9], [4, 0.1])],
};
const bare = { epsilon: 0.3, temperature: 1, useOtsu: false, penalty: 1 };
const round = (values: Iterable<number>) => Array.from(values, (x) => Number(x.toFixed(6)));

describe('pictureOf', () => {
  it('holds J, what survives ε_b, and the best cell', () => {
    const picture = pictureOf(proposal, [], bare, 2);
    assert.ok(picture);
    assert.deepEqual(picture.shape, [2, 2]);
    assert.deepEqual(round(picture.plain), [0.54, 0.06, 0.36, 0.04]);
    assert.deepEqual(round(picture.left), [0.54, 0, 0.36, 0]);
    assert.equal(picture.best, 0);
    assert.deepEqual(picture.idsAt(2), [2, 3]);
  });

  it('has no best cell where the order is backed off from', () => {
    for (const epsilon of [0.6, 1]) {
      assert.equal(pictureOf(proposal, [], { ...bare, epsilon }, 2)?.best, undefined);
    }
  });

  it('is undefined for more tokens than there are heads', () => {
    assert.equal(pictureOf(proposal, [], bare, 3), undefined);
  });

  it('shows what the decision decided on, whatever the options', () => {
    fc.assert(
      fc.property(anyProposal, anyTable, anyOptions, (any, table, options) => {
        const recent = [1, 2, 3];
        const decide = createFastChooser({ ...options, table, choice: 'likeliest' });
        const decision = decide(any, recent);
        assert.deepEqual(likeliestDecision(any, recent, { ...options, table }), decision);
        for (const trace of decision.tried) {
          const picture = pictureOf(any, recent, { ...options, table }, trace.order);
          assert.ok(picture);
          assert.deepEqual(picture.trace, trace);
          assert.equal(survivors(picture), trace.survivors);
          assert.equal(picture.best !== undefined, trace.outcome === 'chosen');
          if (picture.best === undefined) continue;
          const ids = decision.choices.map(({ id }) => id);
          assert.deepEqual(picture.idsAt(picture.best), ids);
          assert.equal(picture.left[picture.best], decision.joint);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('the pictures of a place', () => {
  it('are the same whatever was asked for before', () => {
    const many = fc.array(fc.tuple(anyOptions, fc.integer({ min: 2, max: 4 })), { maxLength: 8 });
    fc.assert(
      fc.property(anyProposal, anyTable, many, (any, table, asked) => {
        const pictures = new Pictures(any, [1, 2, 3], table);
        for (const [options, order] of asked) {
          const fresh = pictureOf(any, [1, 2, 3], { ...options, table }, order);
          assert.deepEqual(numbers(pictures.picture(options, order)), numbers(fresh));
          const decide = createFastChooser({ ...options, table, choice: 'likeliest' });
          assert.deepEqual(pictures.decision(options), decide(any, [1, 2, 3]));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('make J once for all thresholds', () => {
    const pictures = new Pictures(proposal, [], undefined);
    const [one, other] = [0.3, 0.9].map((epsilon) => pictures.picture({ ...bare, epsilon }, 2));
    assert.equal(one?.plain, other?.plain);
    const warmer = pictures.picture({ ...bare, temperature: 2 }, 2);
    assert.notEqual(warmer?.plain, one?.plain);
  });
});

describe('a part of a co-occurrence table', () => {
  it('gives the same picture as the whole table', () => {
    fc.assert(
      fc.property(anyProposal, anyTable, anyOptions, (any, table, options) => {
        const part = tableOfPart(jsonCopy(partOf(table, any)));
        for (const order of [2, 3, 4]) {
          const whole = pictureOf(any, [], { ...options, table }, order);
          const copy = pictureOf(any, [], { ...options, table: part }, order);
          assert.deepEqual(numbers(copy), numbers(whole));
        }
      }),
      { numRuns: 200 },
    );
  });
});

const survivors = ({ left }: Picture) => left.filter((value) => value > 0).length;

function numbers(picture: Picture | undefined) {
  if (!picture) return undefined;
  const { plain, masked, left, trace, best } = picture;
  return { plain, masked, left, trace, best };
}

const jsonCopy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
