import assert from 'node:assert/strict';
import { describeSteps, stepFigures } from '../../../src/cli/step-figures';
import type { StepSummary } from '../../../src/engine/protocol';

const step = (n: number, draft?: StepSummary['draft']): StepSummary => ({
  ...{ n, text: '', source: 'base', confidence: 1, rows: 1, ms: 1 },
  ...(draft && { draft }),
});

describe('figures of steps', () => {
  const steps = [
    step(1),
    step(3, { source: 'head', tokens: 2, accepted: 2 }),
    step(2, { source: 'head', tokens: 2, accepted: 1 }),
    step(1, { source: 'head', tokens: 2, accepted: 0 }),
    step(5, { source: 'lookup', tokens: 4, accepted: 4 }),
  ];

  it('count lengths, and judge a draft only where those before it held', () => {
    const { lengths, drafts } = stepFigures(steps);
    assert.deepEqual(lengths, [2, 1, 1, 0, 1]);
    assert.deepEqual(drafts.head, {
      ...{ steps: 3, tokens: 6, accepted: 3 },
      places: [
        { tried: 3, held: 2 },
        { tried: 2, held: 1 },
      ],
    });
    assert.equal(drafts.lookup.accepted, 4);
  });

  it('are told in a line for each source', () => {
    assert.deepEqual(describeSteps(stepFigures(steps)), [
      'steps by tokens: 1: 40 %, 2: 20 %, 3: 20 %, 5: 20 %',
      'heads: 3 of 6 drafts held; first, second, …: 67 %, 50 %',
      'lookup: 4 of 4 drafts held; first, second, …: 100 %, 100 %, 100 %, 100 %',
    ]);
    assert.deepEqual(describeSteps(stepFigures([step(1), step(1)])), []);
    assert.deepEqual(describeSteps(stepFigures([])), []);
  });
});
