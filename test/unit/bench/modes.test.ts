import assert from 'node:assert/strict';
import { decodingFor, plainThreshold, splitModes } from '../../../bench/steps/modes';

describe('the notation of modes', () => {
  const check = (spec: string, expected: object) =>
    it(`reads ${spec}`, () => assert.deepEqual(decodingFor(spec), expected));

  check('ar', { mode: 'ar' });
  check('exact', { mode: 'exact' });
  check('exact,rows=4', { mode: 'exact', rows: 4 });
  const heads = { heads: true, lookup: false };
  check('exact-heads', { mode: 'exact', drafts: heads });
  check('fast:0.8', { mode: 'fast', epsilon: 0.8 });
  check('fast:0', { mode: 'fast', epsilon: 0 });
  const fast = (switched: object) => ({ mode: 'fast', epsilon: 0.5, fast: switched });
  check('fast:0.5,otsu=off', fast({ useOtsu: false }));
  check('fast:0.5,mask=off', fast({ alpha: 0 }));
  check('fast:0.5,alpha=0.5,blur=off', fast({ alpha: 0.5, useBlur: false }));
  check('fast:0.5,penalty=off', fast({ penalty: 1 }));
  check('fast:0.5,penalty=1.3,repeats=ngram', fast({ penalty: 1.3, repeats: 'ngram' }));
  check('fast:0.5,tokens=2,topk=10', fast({ maxOrder: 2, topK: 10 }));
  check('fast:0.5,unseen=parts', fast({ unseen: 'parts' }));

  for (const spec of [
    ...['slow', 'ar:1', 'ar,otsu=off', 'fast:2', 'fast:', 'fast:x', 'exact,heads=off'],
    ...['fast:0.5,otsu=maybe', 'fast:0.5,otsu', 'fast:0.5,colour=red', 'fast:0.5,tokens=5'],
    ...['fast:0.5,alpha=', 'fast', 'exact,rows=9', 'exact,rows=0', 'exact-heads,rows=2'],
  ]) {
    it(`refuses ${spec}`, () => assert.throws(() => decodingFor(spec), RangeError));
  }

  it('gives a switch to the mode before it', () => {
    assert.deepEqual(splitModes('ar,fast:0.5,otsu=off,blur=off,exact,rows=2,fast:1'), [
      ...['ar', 'fast:0.5,otsu=off,blur=off', 'exact,rows=2', 'fast:1'],
    ]);
  });

  it('takes a threshold for one of the sweep only where nothing is switched', () => {
    assert.deepEqual(['fast:0.5', 'fast:0.5,otsu=off', 'exact'].map(plainThreshold), [
      ...[0.5, undefined, undefined],
    ]);
  });
});
