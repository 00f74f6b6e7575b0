import assert from 'node:assert/strict';
import { RestartPolicy } from '../../../src/engine/restart-policy';

describe('RestartPolicy', () => {
  it('doubles the delay with each crash and gives up at the fifth in three minutes', () => {
    const policy = new RestartPolicy();
    const delays = [0, 1, 2, 3, 4].map((second) => policy.crashed(second * 1000));
    assert.deepEqual(delays, [250, 500, 1000, 2000, undefined]);
  });

  it('forgets crashes that are three minutes old', () => {
    const policy = new RestartPolicy();
    for (const second of [0, 1, 2, 3]) policy.crashed(second * 1000);
    assert.equal(policy.crashed(180_000), 2000, 'the first is forgotten, three are left');
    assert.equal(policy.crashed(400_000), 250, 'all are forgotten');
  });

  it('never gives up on a crash a minute', () => {
    const policy = new RestartPolicy();
    for (let minute = 0; minute < 60; minute++) {
      assert.notEqual(policy.crashed(minute * 60_000), undefined, `minute ${minute}`);
    }
  });

  it('starts over after a reset', () => {
    const policy = new RestartPolicy();
    for (let crash = 0; crash < 5; crash++) policy.crashed(crash);
    policy.reset();
    assert.equal(policy.crashed(10), 250);
  });
});
