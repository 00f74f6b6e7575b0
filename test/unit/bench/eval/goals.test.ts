import assert from 'node:assert/strict';
import { figuresOfRun, type RunFigures } from '../../../../bench/eval/figures';
import { goalsOf } from '../../../../bench/eval/goals';
import type { Evidence, LoadedInfilling, PeerFigures } from '../../../../bench/eval/load';
import type { ResultRow, RunHeader } from '../../../../bench/steps/results';
import { HEADER, NOTHING, SHIPPED, VERSION } from './evidence';

/**
 * Lines, each of a problem of its own, that pass in every mode but for the first so many; other modes are so
 * many times as fast as plain decoding.
 */
function lines(
  file: string,
  modes: readonly string[],
  {
    speed = 2,
    count = 160,
    failed = 0,
    ...header
  }: Partial<RunHeader> & { speed?: number; count?: number; failed?: number } = {},
): RunFigures {
  const plain = (i: number) => ({
    ...{ text: 'x', tokens: 3, stopReason: 'newline', steps: [1, 1, 1], drafts: [] },
    ...{ prefillMs: 1, decodeMs: 40, passed: i >= failed },
  });
  const decodeMs = (mode: string) => (mode === 'ar' ? 40 : 40 / speed);
  const rows = Array.from({ length: count }, (_, i): ResultRow => ({
    ...{ id: `${i}/L1`, kind: 'line' },
    modes: Object.fromEntries(
      modes.map((mode) => [mode, { ...plain(i), decodeMs: decodeMs(mode) }]),
    ),
  }));
  const loaded = { file, header: { ...HEADER, ...header, modes: [...modes] }, rows };
  const [run] = figuresOfRun(loaded, new Map());
  assert.ok(run);
  return run;
}

const goal = (evidence: Partial<Evidence>, name: RegExp) => {
  const found = goalsOf({ ...NOTHING, ...evidence }, SHIPPED).find((each) => name.test(each.goal));
  assert.ok(found);
  return found;
};

const SWEEP = ['ar', 'exact', 'fast:1', 'fast:0.5', 'fast:0'];
const whole = lines('bench/whole.jsonl', SWEEP);

describe('the goal of speed at the same quality', () => {
  const of = (...runs: RunFigures[]) => goal({ runs }, /same-quality/);

  it('is taken from a sweep of the default heads', () =>
    assert.equal(of(whole).figure, '2.00 × (2.00 to 2.00; ε_b 0.5)'));

  for (const [what, other] of [
    [
      'an ablation',
      lines('bench/ablation.jsonl', ['ar', 'fast:0.5', 'fast:0.5,otsu=off'], {
        speed: 3,
        count: 200,
      }),
    ],
    [
      'other heads',
      lines('bench/heads.jsonl', SWEEP, {
        ...{ speed: 3, count: 200, heads: 'independent', headsSha256: 'others' },
      }),
    ],
    [
      'another precision',
      lines('bench/fp32.jsonl', SWEEP, { speed: 3, count: 200, precision: 'fp32' }),
    ],
    ['a few thresholds', lines('bench/few.jsonl', ['ar', 'fast:0.8'], { speed: 3, count: 200 })],
  ] as const) {
    it(`is not taken from ${what}, however many tasks and however fast`, () => {
      assert.match(of(whole, other).figure, /^2\.00 × .*ε_b 0\.5/);
      assert.match(of(other, whole).figure, /^2\.00 × .*ε_b 0\.5/);
    });
  }

  it('is not measured by an ablation, or by other heads, alone', () => {
    const ablation = lines('bench/ablation.jsonl', ['ar', 'fast:0.5', 'fast:0.5,otsu=off']);
    const heads = lines('bench/heads.jsonl', SWEEP, {
      ...{ heads: 'independent', headsSha256: 'others' },
    });
    for (const run of [ablation, heads]) {
      assert.deepEqual([of(run).figure, of(run).remark], ['not measured', '']);
    }
  });

  it('is taken from a few thresholds where there is no whole sweep', () =>
    assert.match(of(lines('bench/few.jsonl', ['ar', 'fast:0.8'])).figure, /2\.00 × .*ε_b 0\.8/));

  it('is 1 × by definition at ε_b 1, whatever was measured', () => {
    const run = lines('bench/few.jsonl', ['ar', 'fast:1'], { speed: 3 });
    const { figure, verdict } = of(run);
    assert.deepEqual([figure, verdict], ['1 × by definition (ε_b 1)', 'missed']);
  });

  it('tells thresholds that keep the quality and are no faster', () => {
    const run = lines('bench/slow.jsonl', SWEEP, { speed: 0.9 });
    assert.match(
      of(run).remark,
      /^ε_b 0 \(0\.90 ×\), 0\.5 \(0\.90 ×\) keep the quality, too, and are no faster; no other/,
    );
    const worse = lines('bench/few.jsonl', ['ar', 'fast:1']);
    assert.match(of(worse).remark, /^no smaller ε_b is shown to keep the quality/);
  });
});

describe('a goal', () => {
  const fast = { speed: 3 };
  for (const [what, header] of [
    ['another trunk', { trunkSha256: 'old' }],
    ['an unknown trunk', { trunkSha256: undefined }],
    ['other heads of the same name', { headsSha256: 'old' }],
    ['unknown heads', { headsSha256: undefined }],
  ] as const) {
    it(`is not met by a run of ${what}, but told of`, () => {
      const { headsSha256, trunkSha256, ...rest } = { ...HEADER, ...header };
      const run = {
        ...lines('bench/old.jsonl', SWEEP, fast),
        header: {
          ...{ ...rest, modes: SWEEP },
          ...(headsSha256 !== undefined && { headsSha256 }),
          ...(trunkSha256 !== undefined && { trunkSha256 }),
        },
      };
      for (const name of [/same-quality/, /exact mode/]) {
        const { figure, verdict, remark, raw } = goal({ runs: [run] }, name);
        assert.deepEqual([figure, verdict], ['not measured', undefined]);
        assert.match(remark, /^of earlier weights: 3\.00 ×/);
        assert.match(raw, /old\.jsonl/);
      }
      assert.equal(goal({ runs: [run, whole] }, /same-quality/).verdict, 'missed');
      assert.match(goal({ runs: [run, whole] }, /exact mode/).figure, /^2\.00 ×/);
    });
  }

  it('of exact mode is not met without lines, or where the interval has it within', () => {
    const heldOut = { ...whole, kind: 'held-out' } as const;
    assert.equal(goal({ runs: [heldOut] }, /exact mode/).verdict, undefined);
    assert.equal(goal({ runs: [heldOut, whole] }, /exact mode/).verdict, 'met');
    const noisy = figuresOfRun(
      {
        ...{ file: whole.file, header: whole.header },
        rows: whole.rows.map((row, i) => {
          const { ar, exact } = row.modes;
          assert.ok(ar && exact);
          return {
            ...row,
            modes: { ...row.modes, ar, exact: { ...exact, decodeMs: i % 8 ? 20 : 180 } },
          };
        }),
      },
      new Map(),
    );
    const { figure, verdict } = goal({ runs: noisy }, /exact mode/);
    assert.match(figure, /^1\.00 × \(0\.\d\d to 1\.\d\d\)/);
    assert.equal(verdict, 'not shown');
  });

  it('of exact mode is not taken from other heads', () => {
    const slow = lines('bench/heads.jsonl', SWEEP, {
      ...{ speed: 0.5, heads: 'independent', headsSha256: 'others' },
    });
    assert.equal(goal({ runs: [slow, whole] }, /exact mode/).verdict, 'met');
  });
});

describe('the goal beside llama.cpp, from single steps', () => {
  function peers(
    ratios: Record<number, number>,
    { threads = 2, weights = { m: VERSION } as PeerFigures['weights'] } = {},
  ): PeerFigures {
    const figure = { median: 1, least: 1 };
    const line = (what: string, ratio: number) => ({
      ...{ what, unit: 'ms a token', ours: figure, theirs: figure, ratio },
    });
    return {
      ...{ file: 'bench/peers.jsonl', threads, processor: 'Some CPU', weights },
      models: [
        {
          ...{ model: 'm', peer: 'same' },
          lines: Object.entries(ratios).map(([context, ratio]) =>
            line(`decoding at ${context}`, ratio),
          ),
        },
      ],
    };
  }
  const of = (...all: PeerFigures[]) => goal({ peers: all, runs: [whole] }, /same GGUF/);

  it('is of the worst of all contexts', () => {
    const { figure, remark, verdict } = of(peers({ 128: 0.5, 1024: 0.8, 4096: 0.6 }));
    // An estimate, however large.
    assert.deepEqual([figure, verdict], ['2.50 ×', 'not shown']);
    assert.match(remark, /the worst of 3: decoding at 1024, plain against plain 1\.25 ×/);
    assert.equal(of(peers({ 128: 0.5, 1024: 0.9 })).verdict, 'missed');
  });

  it('takes exact mode from the run with the most tasks, not from a sweep', () => {
    const more = lines('bench/more.jsonl', ['ar', 'exact'], { speed: 1.5, count: 200 });
    const { figure } = goal({ peers: [peers({ 128: 0.5 })], runs: [more, whole] }, /same GGUF/);
    assert.equal(figure, '3.00 ×');
  });

  it('is said to be an estimate, with the machines and threads of both runs', () => {
    assert.match(
      of(peers({ 128: 0.5 }, { threads: 4 })).remark,
      /an estimate from two runs: steps on Some CPU, 4 threads; exact mode on a machine not recorded, 2 threads/,
    );
  });

  it('is not met by earlier weights', () => {
    for (const weights of [{}, { m: { ...VERSION, headsSha256: 'old' } }]) {
      const { figure, verdict, remark } = of(peers({ 128: 0.5 }, { weights }));
      assert.deepEqual([figure, verdict], ['not measured', undefined]);
      assert.match(remark, /^of earlier weights: 4\.00 ×/);
    }
  });
});

describe('the goal of head 1', () => {
  /** The base's, of so many lines, each of a problem of its own; the first so many fail. */
  function reference(failed: number, count = 400): LoadedInfilling {
    const verdict = (i: number) => (i < failed ? 'failed' : 'passed');
    return {
      file: 'bench/m-fp32-suffix-first.jsonl',
      results: {
        header: {
          ...{ kind: 'infilling-run', version: 1, tasks: 't', seed: 1, order: 'suffix-first' },
          ...{ maxTokens: 64, source: 'reference-m.jsonl' },
        },
        rows: new Map(
          Array.from({ length: count }, (_, i) => [
            `${i}/L1`,
            { id: `${i}/L1`, verdict: verdict(i), detail: '', exact: false },
          ]),
        ),
      },
    };
  }
  /** Plain decoding of ours, of which the first so many fail. */
  const own = (failed: number, header: Partial<RunHeader> = {}) =>
    lines('bench/own.jsonl', ['ar', 'exact'], { count: 400, failed, ...header });
  const of = (base: LoadedInfilling, ...runs: RunFigures[]) =>
    goal({ infilling: [base], runs }, /head 1/);

  it('is met where the lower end is no more than two points below, not where it may be nothing', () => {
    const verdicts = [0, 1].map((failed) => of(reference(0), own(failed)).verdict);
    assert.deepEqual(verdicts, ['met', 'met']);
    // Three of 400 more, which may be luck: the interval holds 0 and more than two points.
    assert.equal(of(reference(5), own(8)).verdict, 'not shown');
    assert.equal(of(reference(0), own(40)).verdict, 'missed');
  });

  it('is not shown by a few problems, and is of the tasks that both have', () => {
    const { verdict, remark } = of(reference(0, 149), own(0));
    assert.equal(verdict, 'not shown');
    assert.match(remark, /149 tasks of 149 problems, fewer than the 150 that can show it/);
    assert.equal(of(reference(0, 150), own(0)).verdict, 'met');
  });

  it('is of one model, and not of another’s lines', () => {
    const { figure, remark } = of(reference(0), own(0, { model: 'other' }));
    assert.deepEqual([figure, remark], ['not measured', '']);
  });

  it('is not met by earlier weights, but told of', () => {
    const { verdict, remark } = of(reference(0), own(0, { trunkSha256: 'old' }));
    assert.equal(verdict, undefined);
    assert.match(remark, /^of earlier weights: \+0\.0 points/);
  });
});
