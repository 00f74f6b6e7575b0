import assert from 'node:assert/strict';
import { profiledRuns, typicalRun } from '../../../../bench/eval/profile/events';
import type { ProfileHeader, ProfileRow } from '../../../../bench/eval/profile/results';
import { profileSection } from '../../../../bench/eval/profile/section';

const node = (op: string, ts: number, dur: number) => ({
  ...{ cat: 'Node', name: `/layers.0/${op}_kernel_time`, ts, dur },
  args: { op_name: op, provider: 'CPUExecutionProvider' },
});
const run = (ts: number, dur: number) => ({
  ...{ cat: 'Session', name: 'model_run', ts, dur, args: {} },
});

describe('a profile of ONNX Runtime', () => {
  it('is told apart into its runs, and these into operators', () => {
    const trace = [
      { cat: 'Session', name: 'model_loading_uri', ts: 0, dur: 900, args: {} },
      node('Gather', 950, 7),
      // Events stand in the order in which they ended.
      ...[node('MatMul', 1100, 300), node('MatMul', 1500, 200), node('Add', 1800, 50)],
      run(1000, 1000),
      ...[node('MatMul', 3000, 400), run(2900, 600)],
      { cat: 'Node', name: 'MatMul_fence_before', ts: 3000, dur: 1, args: { op_name: 'MatMul' } },
      { ph: 'M', name: 'process_name' },
    ];
    assert.deepEqual(profiledRuns(JSON.stringify(trace)), [
      {
        ms: 1,
        operators: [
          { name: 'MatMul', ms: 0.5, calls: 2 },
          { name: 'Add', ms: 0.05, calls: 1 },
        ],
      },
      { ms: 0.6, operators: [{ name: 'MatMul', ms: 0.4, calls: 1 }] },
    ]);
    assert.throws(() => profiledRuns('{}'));
  });

  it('is summed up by the runs in the middle', () => {
    const made = (ms: number) => ({
      ms,
      operators: [
        { name: 'Add', ms: ms / 10, calls: 1 },
        { name: 'MatMul', ms: ms / 2, calls: 5 },
      ],
    });
    const { ms, operators } = typicalRun([1, 20, 22, 1000].map(made));
    assert.equal(ms, 21);
    assert.deepEqual(operators, [
      { name: 'MatMul', ms: 10.5, calls: 5 },
      { name: 'Add', ms: 2.1, calls: 1 },
    ]);
  });

  it('is told so that all parts make the whole', () => {
    const header: ProfileHeader = {
      ...{ kind: 'profile-run', version: 1, threads: 2 },
      model: { id: 'm', precision: 'int8', trunkSha256: 'a' },
      environment: {
        ...{ processor: 'P', cores: 2, memoryGigabytes: 8, system: 'S', node: '20' },
        ...{ onnxruntime: '1', version: '0', commit: null },
      },
    };
    const row: ProfileRow = {
      ...{ part: 'trunk', context: 128, rows: 3, runs: 16, ms: 9.5, profiledMs: 10, runMs: 9 },
      operators: [
        { name: 'MatMul', ms: 6, calls: 24 },
        { name: 'Softmax', ms: 1, calls: 2 },
        { name: 'Add', ms: 0.2, calls: 3 },
      ],
    };
    const text = profileSection(
      { file: 'bench/eval/results/m.profile.jsonl', header, rows: [row] },
      true,
    );
    const cells = [...text.matchAll(/^\| ([^|]+?) +\| +(.+?) +\|$/gm)].map(([, a, b]) => [a, b]);
    assert.deepEqual(cells, [
      ['ms (calls)', '3 rows at 128'],
      ['---', '---:'],
      ['MatMul', '6.00 (24)'],
      ['Softmax', '1.00 (2)'],
      ['other operators', '0.20 (3)'],
      ['between operators', '1.80'],
      ['feeds, keys and values, outputs', '1.00'],
      ['all, with the profiler', '10.00'],
      ['all, without it', '9.50'],
    ]);
    assert.match(
      text,
      /m\.profile\.jsonl\]\(eval\/results\/m\.profile\.jsonl\) \(P, 2 cores, 2 threads\)/,
    );
  });
});
