import assert from 'node:assert/strict';
import { EngineError } from '../../../src/engine/errors';
import { RowCosts } from '../../../src/decoding/row-costs';
import { learnRowCosts, measureSteps } from '../../../src/engine/measure';
import { predict, ScriptedStepper } from '../../fixtures/scripted-stepper';

const never = new AbortController().signal;

describe('measureSteps', () => {
  it('times every number of rows and leaves the context as it was filled', async () => {
    const stepper = new ScriptedStepper(() => predict([1, 1]));
    const result = await measureSteps(stepper, { rows: 8, context: 20, repeats: 3 }, never);
    assert.equal(result.stepMs.length, 8);
    assert.ok(result.stepMs.every((ms) => ms >= 0));
    assert.equal(stepper.length, 20);
    assert.equal(stepper.rowsRun, 20 + 4 * 36, 'three that count and one to warm up');
  });

  it('refuses a context that leaves no room for the rows', async () => {
    const stepper = new ScriptedStepper(() => predict([1, 1]), { contextLength: 20 });
    await assert.rejects(
      measureSteps(stepper, { rows: 4, context: 17, repeats: 1 }, never),
      (error) => error instanceof EngineError && error.code === 'badRequest',
    );
    await measureSteps(stepper, { rows: 4, context: 16, repeats: 1 }, never);
  });

  it('can be cancelled between steps', async () => {
    const abort = new AbortController();
    const stepper = new ScriptedStepper(() => predict([1, 1]), {
      beforeRow: (row) => {
        if (row === 30) abort.abort(new Error('enough'));
      },
    });
    const request = { rows: 8, context: 20, repeats: 3 };
    await assert.rejects(measureSteps(stepper, request, abort.signal), /enough/);
  });
});

describe('learnRowCosts', () => {
  it('knows after a few steps what rows cost, and leaves no row behind', async () => {
    const stepper = new ScriptedStepper(() => predict([1, 1]), {
      beforeRow: () => new Promise((resolve) => setTimeout(resolve, 2)),
    });
    const costs = new RowCosts();
    await learnRowCosts(stepper, costs, 10_000);
    assert.equal(stepper.length, 0);
    assert.ok(stepper.rowsRun >= 1 + 1 + 3 + 8);
    assert.ok(costs.ms(1) >= 1 && costs.of(8) > costs.of(3), 'rows of this stepper are not free');
  });

  it('stops where the next measurement would take too long', async () => {
    const stepper = new ScriptedStepper(() => predict([1, 1]), {
      beforeRow: () => new Promise((resolve) => setTimeout(resolve, 20)),
    });
    await learnRowCosts(stepper, new RowCosts(), 45);
    assert.ok(stepper.rowsRun <= 2, `${stepper.rowsRun} rows`);
  });
});
