import assert from 'node:assert/strict';
import type { PeersJob } from '../../../../bench/eval/plan';
import { runPeers, type RunOptions } from '../../../../bench/eval/run';

const JOB: PeersJob = {
  ...{ type: 'peers', part: 'peers', name: 'peers', model: 'm', completions: false, quick: false },
};

function optionsFor(until: number, peers = ['q4_0.gguf']): RunOptions {
  return {
    ...{ root: '/root', folder: '/out', threads: 2, until },
    judge: { model: undefined, judgements: undefined },
    ggufs: { own: new Map(), peers: new Map([['m', peers]]), drafting: new Map() },
  };
}

describe('a run beside llama.cpp', () => {
  it('is whole when it ends in time, with every file that was named', () => {
    const asked: string[] = [];
    const whole = runPeers(JOB, optionsFor(Infinity), (_, args) => asked.push(args.join(' ')));
    assert.equal(whole, true);
    assert.equal(asked.length, 2);
    assert.match(asked[1] ?? '', /--model m .*--peer-gguf q4_0\.gguf/);
    assert.doesNotMatch(asked[0] ?? '', /--peer-gguf|--minutes/);
  });

  it('is unfinished when the time is up before it begins', () => {
    const never = () => assert.fail('something was run');
    assert.equal(runPeers(JOB, optionsFor(-Infinity), never), false);
  });

  for (const [what, peers] of [
    ['the last file ends behind it', []],
    ['there are more files', ['q4_0.gguf']],
  ] as const) {
    it(`is unfinished when the time is up and ${what}`, () => {
      let runs = 0;
      const until = performance.now() + 40;
      const slow = () => {
        runs++;
        while (performance.now() <= until);
      };
      assert.equal(runPeers(JOB, optionsFor(until, [...peers]), slow), false);
      assert.equal(runs, 1);
    });
  }
});
