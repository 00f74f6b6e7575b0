import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decode } from '../../../src/decoding/decode';
import { DynamicDrafter } from '../../../src/decoding/drafter';
import type { ChainLink } from '../../../src/decoding/proposal';
import { RowCosts } from '../../../src/decoding/row-costs';
import type { Proposer } from '../../../src/decoding/stepper';
import { predict, ScriptedStepper, type Script } from '../../fixtures/scripted-stepper';

const never = new AbortController().signal;

/** Never says the same three tokens twice, so that nothing can be looked up. */
const counting: Script = (tokens) => predict([(tokens.at(-1) ?? 0) + 1, 0.9]);

/** Heads that are as sure as `confidence` says, and right or wrong throughout. */
class ScriptedProposer implements Proposer {
  readonly kind = 'chained';
  readonly depth = 2;
  asked = 0;

  constructor(
    private readonly right: boolean,
    private readonly confidence: number,
  ) {}

  behind(): number {
    return 1;
  }

  propose(next: number): Promise<readonly ChainLink[]> {
    this.asked++;
    const links = [1, 2].map((ahead) => {
      const id = this.right ? next + ahead : next;
      return { id, candidates: predict([id, this.confidence]) };
    });
    return Promise.resolve(links);
  }
}

/** Rows on a machine that never changes: each further row costs a tenth of the first. */
class FixedCosts extends RowCosts {
  override of(rows: number): number {
    return 0.9 + 0.1 * rows;
  }

  override inRows(): number {
    return 0.15;
  }
}

async function run(proposer: Proposer, script = counting, prompt = [1], maxTokens = 300) {
  const stepper = new ScriptedStepper(script);
  const drafter = new DynamicDrafter({ proposer, costs: new FixedCosts() });
  const options = { maxTokens, stopTokens: new Set<number>(), mode: 'exact', drafter } as const;
  const steps = [];
  for await (const step of decode(stepper, prompt, options, never)) steps.push(step);
  return { steps, rows: stepper.rowsRun };
}

describe('the dynamic drafter', () => {
  it('takes all that good heads propose', async () => {
    const { steps } = await run(new ScriptedProposer(true, 0.95));
    assert.ok(steps.length < 110, `${steps.length} steps for 300 tokens`);
    assert.ok(steps.slice(1).every((step) => step.source === 'head' || step.tokens.length === 1));
  });

  it('asks useless heads ever more seldom', async () => {
    const proposer = new ScriptedProposer(false, 0.9);
    const { rows } = await run(proposer);
    assert.ok(proposer.asked < 40, `asked ${proposer.asked} times in 300 steps`);
    assert.ok(rows < 360, `${rows} rows for 300 tokens`);
  });

  it('risks no row on a guess that the heads do not believe in', async () => {
    const { steps } = await run(new ScriptedProposer(true, 0.01));
    assert.ok(steps.every((step) => step.draft === undefined));
  });

  it('drafts what stood in the prompt, without asking the heads', async () => {
    const text = Array.from({ length: 60 }, (_, i) => 10 + (i % 20));
    const cycle: Script = (tokens) => predict([10 + (((tokens.at(-1) ?? 10) - 9) % 20), 0.9]);
    const proposer = new ScriptedProposer(false, 0.01);
    const { steps } = await run(proposer, cycle, text, 60);
    assert.ok(steps.filter((step) => step.source === 'lookup').length >= 5);
    assert.ok(steps.length < 30, `${steps.length} steps for 60 tokens`);
  });
});

describe('row costs', () => {
  it('never say that more rows cost less', () => {
    const measurements = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 8 }), fc.double({ min: 0.1, max: 100, noNaN: true })),
    );
    fc.assert(
      fc.property(measurements, (times) => {
        const costs = new RowCosts();
        for (const [rows, ms] of times) costs.learn(rows, ms);
        for (let rows = 2; rows <= 8; rows++) {
          assert.ok(costs.of(rows) >= costs.of(rows - 1));
          assert.ok(costs.of(rows) >= 1 && costs.of(rows) <= rows);
        }
      }),
    );
  });

  it('never take more rows for dearer than as many steps', () => {
    const costs = new RowCosts();
    costs.learn(1, 10);
    for (let step = 0; step < 100; step++) costs.learn(3, 1000);
    assert.ok(costs.of(3) > 2.99 && costs.of(3) <= 3);
    assert.equal(costs.of(2), 2, 'stretched from three rows');
  });

  it('forget a number of rows that is tried no more because its first steps were slow', () => {
    const costs = new RowCosts();
    for (let step = 0; step < 20; step++) costs.learn(1, 20);
    for (let step = 0; step < 3; step++) costs.learn(3, 100);
    assert.ok(costs.of(3) > 1.5, 'three slow steps are believed');
    // Now two rows are all that pay, and they cost what they always do.
    for (let step = 0; step < 200; step++)
      costs.learn(step % 2 === 0 ? 1 : 2, step % 2 === 0 ? 20 : 22.4);
    for (const [rows, most] of [
      [3, 1.4],
      [4, 1.5],
      [8, 2],
    ] as const) {
      assert.ok(costs.of(rows) < most, `${rows} rows: ${costs.of(rows)}`);
    }
  });

  it('keep what a number of rows costs that is tried now and then', () => {
    const costs = new RowCosts();
    const dear = (rows: number) => (rows < 3 ? 1 + 0.1 * (rows - 1) : 2);
    for (let step = 0; step < 300; step++) {
      const rows = step % 20 === 19 ? 3 : 1 + (step % 2);
      costs.learn(rows, 20 * dear(rows));
    }
    assert.ok(Math.abs(costs.of(2) - 1.1) < 0.1, `${costs.of(2)}`);
    assert.ok(costs.of(3) > 1.6, `${costs.of(3)}`);
  });

  it('come to what was measured, whatever one slow step said', () => {
    const costs = new RowCosts();
    for (let step = 0; step < 60; step++) costs.learn(1, 20);
    costs.learn(1, 2000);
    for (let step = 0; step < 60; step++) costs.learn(1, 20);
    assert.ok(Math.abs(costs.ms(1) - 20) < 0.5);
    assert.ok(costs.ms(3) > 20 && costs.ms(3) < 30, 'the prior tells what was not measured');
    for (let step = 0; step < 60; step++) costs.learn(4, 50);
    assert.ok(Math.abs(costs.of(4) - 2.5) < 0.1 || Math.abs(costs.ms(4) - 50) < 2);
    assert.ok(costs.of(3) > 1.5, 'and stretches with what its neighbours cost');
  });

  it('stay as they are when the machine becomes slow for every number of rows', () => {
    const costs = new RowCosts();
    const work = (ms: number) => {
      for (let step = 0; step < 100; step++)
        costs.learn(step % 2 === 0 ? 1 : 4, ms * (step % 2 === 0 ? 1 : 1.4));
    };
    work(20);
    const before = costs.of(4);
    for (let step = 0; step < 50; step++) costs.learn(1, 100); // No row of four while it changes.
    assert.ok(Math.abs(costs.of(4) - before) < 0.01);
    work(100);
    assert.ok(Math.abs(costs.of(4) - 1.4) < 0.1, `${costs.of(4)}`);
    assert.ok(Math.abs(costs.ms(1) - 100) < 5);
  });
});
