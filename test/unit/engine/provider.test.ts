import assert from 'node:assert/strict';
import type { ProbeResult, Provider } from '../../../src/engine/protocol';
import { candidatesFor, judge, nameOf, type Adapter } from '../../../src/engine/provider';

/** Log-probabilities of token 1, 2, ... in each row, likeliest first. */
const answer = (
  stepMs: number,
  ...rows: [ids: number[], logs: (number | null)[]][]
): ProbeResult => ({
  kind: 'probe',
  rows: rows.map(([ids, logs]) => ({ ids, logs })),
  prefillMs: 1,
  stepMs,
});

const CPU = answer(
  20,
  [
    [1, 2, 3],
    [-0.2, -2, -4],
  ],
  [
    [4, 5, 6],
    [-0.7, -0.8, -4],
  ],
);

describe('what a GPU answered', () => {
  it('is good when the numbers are nearly the same and come sooner', () => {
    const gpu = answer(
      5,
      [
        [1, 3, 2],
        [-0.21, -2.1, -2.2],
      ],
      [
        [4, 5, 7],
        [-0.7, -0.8, -3.9],
      ],
    );
    assert.deepEqual(judge(CPU, gpu), {
      good: true,
      why: '5.0 ms a step, 20.0 ms on the CPU',
      stepMs: 5,
    });
  });

  const wrong: [what: string, gpu: ProbeResult][] = [
    [
      'other first choices',
      answer(
        5,
        [
          [2, 1, 3],
          [-0.2, -0.3, -4],
        ],
        [
          [5, 4, 6],
          [-0.7, -0.8, -4],
        ],
      ),
    ],
    [
      'other probabilities',
      answer(
        5,
        [
          [1, 2, 3],
          [-1.2, -2, -4],
        ],
        [
          [4, 5, 6],
          [-1.7, -1.8, -4],
        ],
      ),
    ],
    [
      'other tokens',
      answer(
        5,
        [
          [7, 8, 9],
          [-0.2, -2, -4],
        ],
        [
          [7, 8, 9],
          [-0.7, -0.8, -4],
        ],
      ),
    ],
    [
      'something that is no number',
      answer(
        5,
        [
          [1, 2],
          [-0.2, null],
        ],
        [
          [4, 5],
          [-0.7, -0.8],
        ],
      ),
    ],
    [
      'fewer rows',
      answer(5, [
        [1, 2, 3],
        [-0.2, -2, -4],
      ]),
    ],
    ['nothing', answer(5)],
  ];
  for (const [what, gpu] of wrong) {
    it(`is wrong with ${what}, however fast`, () => {
      const judgement = judge(CPU, gpu);
      assert.ok(!judgement.good);
      assert.equal(judgement.failure, 'numbers');
      assert.match(judgement.why, /its numbers are wrong/);
    });
  }

  it('is no reason to leave the CPU when it is hardly faster', () => {
    for (const stepMs of [19, 20, 200]) {
      const judgement = judge(CPU, { ...CPU, stepMs });
      assert.ok(!judgement.good);
      assert.equal(judgement.failure, 'slow');
      assert.match(judgement.why, /not faster: .* ms a step, 20\.0 ms on the CPU/);
    }
  });
});

describe('the GPUs in question', () => {
  const adapter = (name: Provider['name'], device: number): Adapter => ({
    provider: { name, device },
    driver: '1',
  });
  const found = [adapter('cuda', 0), adapter('cuda', 1), adapter('dml', 0)];
  const devices = (wish: Parameters<typeof candidatesFor>[0]) =>
    candidatesFor(wish, { found, missing: '' }).map(({ provider }) => nameOf(provider));

  it('are all, those of one provider, or one', () => {
    const all = ['CUDA, device 0', 'CUDA, device 1', 'DirectML, device 0'];
    assert.deepEqual(devices({ provider: 'auto' }), all);
    assert.deepEqual(devices({ provider: 'dml' }), all.slice(2));
    assert.deepEqual(devices({ provider: 'cuda', device: 1 }), all.slice(1, 2));
    assert.deepEqual(devices({ provider: 'auto', device: 2 }), []);
  });
});
