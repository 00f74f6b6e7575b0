import assert from 'node:assert/strict';
import { curveOf } from '../../../bench/steps/curve';
import type { Outcome, Results, ResultRow } from '../../../bench/steps/results';

const outcome = (text: string, steps: number[], decodeMs: number): Outcome => ({
  ...{ text, steps, decodeMs, stopReason: 'newline', drafts: [], prefillMs: 1 },
  tokens: steps.reduce((sum, n) => sum + n, 0),
});
const row = (id: string, fast: Outcome): ResultRow => ({
  ...{ id, kind: 'line' },
  modes: {
    ar: outcome('abcd', [1, 1, 1, 1], 60),
    'fast:1': outcome('abcd', [1, 1, 1, 1], 60),
    'fast:0.5': fast,
  },
});
const results = (modes: string[]): Results => ({
  header: {
    ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
    ...{ modes, maxTokens: 64, threads: 2, headsSha256: 'a'.repeat(64) },
  },
  rows: new Map([
    ['1', row('1', outcome('abcd', [1, 3], 30))],
    ['2', row('2', outcome('abXY', [1, 3], 30))],
  ]),
});

describe('a curve from raw results', () => {
  it('has speed and agreement with plain decoding at each threshold', () => {
    const made = curveOf(results(['ar', 'fast:1', 'fast:0.5']), 'fast.jsonl');
    assert.deepEqual([made.tasks, made.kinds, made.results], [2, ['line'], 'fast.jsonl']);
    assert.deepEqual(made.curve, [
      { epsilon: 0.5, tokensPerStep: 3, speedup: 2, agreement: 0.75 },
      { epsilon: 1, tokensPerStep: 1, speedup: 1, agreement: 1 },
    ]);
  });

  it('is of the tasks that every threshold was run on', () => {
    const made = results(['ar', 'fast:1', 'fast:0.5']);
    const { modes } = row('3', outcome('abcd', [1, 3], 30));
    delete modes['fast:0.5'];
    const less: ResultRow = { id: '3', kind: 'held-out', modes };
    const sampled = new Map([...made.rows, ['3', less]]);
    const { tasks, kinds, curve } = curveOf({ ...made, rows: sampled }, 'fast.jsonl');
    assert.deepEqual([tasks, kinds, curve.length], [2, ['line'], 2]);
    const none = new Map([['3', less]]);
    assert.throws(() => curveOf({ ...made, rows: none }, 'x'), /no task in all of/);
  });

  it('cannot be had of a run without plain decoding or without thresholds', () => {
    assert.throws(() => curveOf(results(['fast:1']), 'x'), /run with --modes/);
    assert.throws(() => curveOf(results(['ar', 'exact']), 'x'), /run with --modes/);
  });
});
