import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CooccurrenceMask } from '../../../src/decoding/cooccurrence';
import { readCooccurrence } from '../../../src/decoding/cooccurrence-file';
import { CODES, writeCooccurrence, type TableContent } from '../../fixtures/cooccurrence-writer';
import counted from '../../fixtures/cooccurrence.json';
import { tableOf } from '../../fixtures/naive-decision';

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) <= 1e-12 * expected, `${actual}, not ${expected}`);

describe('CooccurrenceMask', () => {
  const lifts = new Map([
    ['1,2', 4],
    ['2,3', 0.5],
    ['1,2,3', 7],
    ['2,3,1', 9],
  ]);
  const table = tableOf(1e-4, [0, 0.1, 0.01, 0.002], lifts);
  const cases: [name: string, tokens: number[], factor: number, literal: number][] = [
    ['a held pair its lift', [1, 2], 4, 4],
    ['an unseen pair of rare tokens nothing to hold against it', [3, 3], 1, 0],
    ['an unseen pair of frequent tokens what the resolution leaves', [1, 1], 0.01, 0],
    ['a pair with a token that the corpus does not have 1', [0, 1], 1, 0],
    ['a held triple its lift', [1, 2, 3], 5, 5],
    ['an unseen triple the product of its pairs', [3, 3, 3], 1, 0],
    ['an unseen triple no more than the resolution leaves', [1, 1, 1], 1e-4, 0],
    ['a triple whose second pair is not held what its pairs predict', [2, 3, 1], 0.25, 0],
    ['four tokens the chain of their triples', [1, 2, 3, 3], 5, 0],
  ];
  for (const [name, tokens, factor, literal] of cases) {
    it(`gives ${name}`, () => {
      near(new CooccurrenceMask(table).factor(tokens), factor);
      near(new CooccurrenceMask(table, { unseen: 0 }).factor(tokens), literal);
      near(new CooccurrenceMask(table, { alpha: 0.5 }).factor(tokens), Math.sqrt(factor));
      near(new CooccurrenceMask(table, { alpha: 0 }).factor(tokens), 1);
    });
  }
});

const SMALL: TableContent = {
  resolution: 0.25,
  unigrams: [0.5, 0.25, 0.125, 0],
  pairs: [
    [2, 1, 8],
    [0, 3, 0.5],
    [0, 1, 2],
  ],
  triples: [
    [0, 1, 3, 32],
    [2, 1, 0, 4],
    [0, 1, 0, 16],
  ],
};

describe('readCooccurrence', () => {
  it('reads what the training package counted (training/goldens/cooccurrence.py)', () => {
    const table = readCooccurrence(Buffer.from(counted.file, 'base64'));
    for (const [id, frequency] of counted.unigrams.entries()) {
      assert.ok(Math.abs(table.unigram(id) - frequency) < 1e-7);
    }
    // Lifts are rounded to 255 steps of their logarithm.
    const alike = (one: number, other: number) => Math.abs(Math.log2(one / other)) < 0.04;
    for (const [ngram, lift] of Object.entries<number | null>(counted.lifts)) {
      const [a = 0, b = 0, c] = ngram.split(',').map(Number);
      const found = c === undefined ? table.pairLift(a, b) : table.tripleLift(a, b, c);
      if (lift === null) assert.equal(found, undefined, ngram);
      else assert.ok(found !== undefined && alike(found, lift), `${ngram}: ${found}, not ${lift}`);
    }
  });

  it('finds what was written and nothing else', () => {
    const content = fc
      .record({
        vocabulary: fc.integer({ min: 1, max: 12 }),
        resolution: fc.constantFrom(0, 0.25, 1),
        grams: fc.array(fc.tuple(fc.nat(11), fc.nat(11), fc.option(fc.nat(11)), fc.nat(255)), {
          maxLength: 40,
        }),
      })
      .map(({ vocabulary, resolution, grams }) => {
        const known = grams.filter((gram) => Math.max(gram[0], gram[1], gram[2] ?? 0) < vocabulary);
        const lift = (code: number) => 2 ** (CODES.low + CODES.step * code);
        const pairs = new Map(
          known.map(([a, b, , code]) => [`${a},${b}`, [a, b, lift(code)] as const]),
        );
        const triples = new Map(
          known.flatMap(([a, b, c, code]) =>
            c === null ? [] : [[`${a},${b},${c}`, [a, b, c, lift(code)] as const]],
          ),
        );
        const unigrams = Array.from({ length: vocabulary }, (_, id) => 1 / (id + 2));
        return { resolution, unigrams, pairs, triples };
      });
    fc.assert(
      fc.property(content, fc.nat(3), ({ resolution, unigrams, pairs, triples }, shift) => {
        const bytes = writeCooccurrence({
          resolution,
          unigrams,
          pairs: [...pairs.values()],
          triples: [...triples.values()],
        });
        const shifted = new Uint8Array(bytes.length + shift).subarray(shift);
        shifted.set(bytes);
        const table = readCooccurrence(shifted);
        assert.equal(table.resolution, resolution);
        for (let a = 0; a < 13; a++) {
          assert.equal(table.unigram(a), Math.fround(unigrams[a] ?? 0));
          for (let b = 0; b < 13; b++) {
            assert.equal(table.pairLift(a, b), pairs.get(`${a},${b}`)?.[2]);
            for (let c = 0; c < 13; c++) {
              assert.equal(table.tripleLift(a, b, c), triples.get(`${a},${b},${c}`)?.[3]);
            }
          }
        }
      }),
    );
  });

  it('reads an empty table', () => {
    const table = readCooccurrence(
      writeCooccurrence({ resolution: 0, unigrams: [], pairs: [], triples: [] }),
    );
    assert.deepEqual(
      [table.pairLift(0, 0), table.tripleLift(0, 0, 0), table.unigram(0)],
      [undefined, undefined, 0],
    );
  });

  const sound = writeCooccurrence(SMALL);
  const changed = (change: (view: DataView) => void) => {
    const bytes = sound.slice();
    change(new DataView(bytes.buffer));
    return bytes;
  };
  // Sections: unigrams at 48, pairStart at 64, pairSecond at 84, tripleStart at 96, tripleThird at 112.
  const damages: Record<string, [Uint8Array, RegExp]> = {
    'no bytes': [new Uint8Array(), /header/],
    'another magic': [changed((view) => view.setUint8(0, 0)), /DYCO/],
    'another version': [changed((view) => view.setUint32(4, 2, true)), /version/],
    'a missing end': [sound.subarray(0, -1), /bytes instead of/],
    'something behind the end': [Uint8Array.from([...sound, 0]), /bytes instead of/],
    'absurd counts': [changed((view) => view.setUint32(12, 2 ** 32 - 1, true)), /counts/],
    'other counts': [changed((view) => view.setUint32(16, 4, true)), /do not fit|instead of/],
    'a NaN resolution': [changed((view) => view.setFloat32(20, NaN, true)), /resolution/],
    'lifts without bounds': [changed((view) => view.setFloat32(28, 1e9, true)), /lifts/],
    'a NaN step': [changed((view) => view.setFloat32(36, NaN, true)), /lifts/],
    'something in the unused part': [changed((view) => view.setUint8(41, 1)), /end of its header/],
    'a frequency above 1': [changed((view) => view.setFloat32(48, 2, true)), /frequency/],
    'rows that go back': [changed((view) => view.setUint32(68, 9, true)), /row 0 of its pairs/],
    'rows that begin late': [changed((view) => view.setUint32(64, 1, true)), /do not fit/],
    'rows out of order': [changed((view) => view.setUint32(84, 3, true)), /not in order/],
    'an unknown token': [
      changed((view) => view.setUint32(112, 4, true)),
      /triples is not in order/,
    ],
  };
  for (const [name, [bytes, message]] of Object.entries(damages)) {
    it(`rejects ${name}`, () => {
      assert.throws(() => readCooccurrence(bytes), message);
    });
  }

  it('either rejects damaged bytes or answers every question soundly', () => {
    const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(sound.length), fc.boolean(), (changes, length, cut) => {
        const bytes = sound.slice(0, cut ? length : undefined);
        for (const [place, byte] of changes) bytes[place] = byte;
        let table;
        try {
          table = readCooccurrence(bytes);
        } catch (error) {
          assert.match(String(error), /co-occurrence table is damaged/);
          return;
        }
        const sane = (lift: number | undefined) =>
          assert.ok(lift === undefined || (lift >= 0 && Number.isFinite(lift)));
        for (let a = 0; a < 6; a++) {
          assert.ok(table.unigram(a) >= 0 && table.unigram(a) <= 1);
          for (let b = 0; b < 6; b++) {
            sane(table.pairLift(a, b));
            for (let c = 0; c < 6; c++) sane(table.tripleLift(a, b, c));
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
