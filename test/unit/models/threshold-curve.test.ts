import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  checkCurve,
  readCurve,
  readDefaults,
  type ThresholdCurve,
} from '../../../src/models/threshold-curve';

const point = (epsilon: number) => ({ epsilon, tokensPerStep: 1.5, speedup: 1.2, agreement: 0.9 });
const curve: ThresholdCurve = {
  ...{ kind: 'threshold-curve', version: 2, model: 'm', heads: 'shared', precision: 'int8' },
  headsSha256: 'a'.repeat(64),
  ...{ tasks: 100, kinds: ['line'], threads: 2, results: 'fast.jsonl' },
  curve: [point(0), point(0.5), point(1)],
};

describe('the curve of a model', () => {
  let suite: string;
  beforeEach(async () => {
    suite = await mkdtemp(join(tmpdir(), 'curve-test-'));
    await mkdir(join(suite, 'm'));
  });
  afterEach(() => rm(suite, { recursive: true }));

  const write = (text: string) => writeFile(join(suite, 'm', 'thresholds.json'), text);

  it('is read where there is one', async () => {
    await write(JSON.stringify(curve));
    assert.deepEqual(await readCurve(suite, 'm'), { status: 'measured', curve });
  });

  it('is none where nobody measured it', async () => {
    assert.deepEqual(await readCurve(suite, 'm'), { status: 'none' });
    assert.deepEqual(await readCurve(suite, '../m'), { status: 'none' });
  });

  for (const [what, text, says] of [
    ['no JSON', '{', /not a curve that this version reads/],
    ['another version', JSON.stringify({ ...curve, version: 1 }), /version/],
    ['a speed-up below 0', JSON.stringify({ ...curve, curve: [{ ...point(0), speedup: -1 }] }), /speedup/],
    ['falling thresholds', JSON.stringify({ ...curve, curve: [point(1), point(0)] }), /must rise/],
    ['something unknown beside it', JSON.stringify({ ...curve, more: 1 }), /more/],
    ['another model’s', JSON.stringify({ ...curve, model: 'n' }), /is about n/],
  ] as const) {
    it(`is not drawn from ${what}, and it is said why`, async () => {
      await write(text);
      const found = await readCurve(suite, 'm');
      assert.ok(found.status === 'unreadable');
      assert.match(found.message, says);
    });
  }

  it('has the defaults of the heads that it was measured with, rows at their precision alone', async () => {
    const heads = { name: 'shared', sha256: 'a'.repeat(64) };
    const calibrated = { epsilon: 0.7, rows: 4, tasks: 60, kinds: ['own'], results: 'own.jsonl' };
    const defaults = (of = heads, precision = 'int8') => readDefaults(suite, 'm', of, precision);
    assert.deepEqual(await defaults(), {});
    await write(JSON.stringify({ ...curve, calibrated }));
    assert.deepEqual(await defaults(), { epsilon: 0.7, rows: 4 });
    assert.deepEqual(await defaults(heads, 'fp16'), { epsilon: 0.7 });
    assert.deepEqual(await defaults({ ...heads, name: 'independent' }), {});
    assert.deepEqual(await defaults({ ...heads, sha256: 'b'.repeat(64) }), {}, 'newer heads');
    await write(JSON.stringify(curve));
    assert.deepEqual(await defaults(), {});
  });

  for (const rows of [0, 9, 2.5]) {
    it(`has no default of ${rows} rows`, () => {
      const calibrated = { epsilon: 1, rows, tasks: 60, kinds: ['own'], results: 'own.jsonl' };
      assert.throws(() => checkCurve({ ...curve, calibrated }), /rows/);
    });
  }

  it('is checked whatever comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.throws(() => checkCurve(value));
      }),
    );
  });
});
