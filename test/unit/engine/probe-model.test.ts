import assert from 'node:assert/strict';
import { probeModel } from '../../../src/engine/probe-model';
import { characterTokenizer } from '../../fixtures/character-tokenizer';
import { predict, ScriptedStepper } from '../../fixtures/scripted-stepper';

const never = new AbortController().signal;

describe('probeModel', () => {
  it('answers for the same rows whatever ran before, with log-probabilities', async () => {
    const tokenizer = characterTokenizer([], []);
    const stepper = new ScriptedStepper((tokens) => predict([tokens.length % 7, 0.75], [9, 0.25]), {
      contextLength: 5000,
    });
    const first = await probeModel({ stepper, tokenizer }, never);
    const second = await probeModel({ stepper, tokenizer }, never);
    assert.equal(first.rows.length, 49, 'behind the prompt and each of 48 tokens');
    assert.deepEqual(second.rows, first.rows);
    const [row] = first.rows;
    assert.equal(row?.ids.length, row?.logs.length);
    assert.ok(Math.abs((row?.logs[0] ?? 0) - Math.log(0.75)) < 1e-6);
    assert.ok(first.stepMs >= 0 && first.prefillMs >= 0);
  });

  it('fits a small context, and says what is no number', async () => {
    const tokenizer = characterTokenizer([], []);
    const stepper = new ScriptedStepper(() => ({ ...predict([1, 1]), logNormalizer: NaN }), {
      contextLength: 60,
    });
    const { rows } = await probeModel({ stepper, tokenizer }, never);
    assert.ok(rows.every(({ logs }) => logs.every((log) => log === null)));
  });

  it('can be cancelled', async () => {
    const abort = new AbortController();
    const stepper = new ScriptedStepper(() => predict([1, 1]), {
      contextLength: 5000,
      beforeRow: () => abort.abort(new Error('enough')),
    });
    const tokenizer = characterTokenizer([], []);
    await assert.rejects(probeModel({ stepper, tokenizer }, abort.signal), /enough/);
  });
});
