import assert from 'node:assert/strict';
import { figuresOfRun, type RunFigures } from '../../../../bench/eval/figures';
import { goalsOf } from '../../../../bench/eval/goals';
import type { Evidence, LoadedInfilling, PeerFigures } from '../../../../bench/eval/load';
import type { ResultRow, RunHeader } from '../../../../bench/steps/results';
import { HEADER, NOTHING, SHIPPED, VERSION } from './evidence';

/** Lines, each of a problem of its own, that pass in every mode; fast mode is so many times as fast. */
function lines(
  file: string,
  modes: readonly string[],
  {
    speed = 2,
    count = 160,
    ...header
  }: Partial<RunHeader> & { speed?: number; count?: number } = {},
): RunFigures {
  const plain = {
    ...{ text: 'x', tokens: 3, stopReason: 'newline', steps: [1, 1, 1], drafts: [] },
    ...{ prefillMs: 1, decodeMs: 40, passed: true },
  };
  const made = modes.map((mode) => {
    const decodeMs = mode === 'ar' ? 40 : 40 / speed;
    return [mode, { ...plain, decodeMs }];
  });
  const rows = Array.from({ length: count }, (_, i): ResultRow => ({
    ...{ id: `${i}/L1`, kind: 'line' },
    modes: Object.fromEntries(made) as ResultRow['modes'],
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
    assert.equal(of(whole).figure, '2.00 × (ε_b 0.5)'));

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
      assert.equal(of(whole, other).figure, '2.00 × (ε_b 0.5)');
      assert.equal(of(other, whole).figure, '2.00 × (ε_b 0.5)');
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
    assert.match(of(lines('bench/few.jsonl', ['ar', 'fast:0.8'])).figure, /2\.00 × \(ε_b 0\.8\)/));

  it('is 1 × by definition at ε_b 1, whatever was measured', () => {
    const run = lines('bench/few.jsonl', ['ar', 'fast:1'], { speed: 3 });
    assert.deepEqual([of(run).figure, of(run).met], ['1 × by definition (ε_b 1)', false]);
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
        const { figure, met, remark, raw } = goal({ runs: [run] }, name);
        assert.deepEqual([figure, met], ['not measured', undefined]);
        assert.match(remark, /^of earlier weights: 3\.00 ×/);
        assert.match(raw, /old\.jsonl/);
      }
      assert.equal(goal({ runs: [run, whole] }, /same-quality/).met, false);
      assert.match(goal({ runs: [run, whole] }, /exact mode/).figure, /^2\.00 ×/);
    });
  }

  it('of exact mode is not taken from other heads', () => {
    const slow = lines('bench/heads.jsonl', SWEEP, {
      ...{ speed: 0.5, heads: 'independent', headsSha256: 'others' },
    });
    assert.deepEqual(goal({ runs: [slow, whole] }, /exact mode/).met, true);
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
    const { figure, remark, met } = of(peers({ 128: 0.5, 1024: 0.8, 4096: 0.6 }));
    assert.deepEqual([figure, met], ['2.50 ×', true]);
    assert.match(remark, /the worst of 3: decoding at 1024, plain against plain 1\.25 ×/);
    assert.deepEqual(of(peers({ 128: 0.5, 1024: 0.9 })).met, false);
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
      const { figure, met, remark } = of(peers({ 128: 0.5 }, { weights }));
      assert.deepEqual([figure, met], ['not measured', undefined]);
      assert.match(remark, /^of earlier weights: 4\.00 ×/);
    }
  });
});

describe('the goal of head 1', () => {
  /** Each line of a problem of its own; the first so many fail. */
  function infilling(
    file: string,
    { source, failed, id }: { source: string; failed: number; id?: string | undefined },
  ): LoadedInfilling {
    const row = (task: string, verdict: 'failed' | 'passed') => ({
      ...{ id: task, verdict, detail: '', exact: false },
    });
    return {
      file,
      results: {
        header: {
          ...{ kind: 'infilling-run', version: 1, tasks: 't', seed: 1, order: 'suffix-first' },
          ...{ maxTokens: 64, source },
        },
        rows: new Map(
          Array.from({ length: 400 }, (_, i) => [
            `${i}/L1`,
            row(`${i}/L1`, i < failed ? 'failed' : 'passed'),
          ]),
        ),
      },
      model: id === undefined ? undefined : { ...VERSION, id },
    };
  }
  const reference = infilling('bench/m-fp32-suffix-first.jsonl', {
    ...{ source: 'reference-m.jsonl', failed: 0 },
  });
  const own = (failed: number, id: string | undefined = 'm') =>
    infilling(`bench/${id}-int8-suffix-first.jsonl`, { source: 'node', failed, id });
  const of = (...all: LoadedInfilling[]) => goal({ infilling: all }, /head 1/);

  it('is met where the lower end is no more than two points below, not where it may be nothing', () => {
    assert.deepEqual([of(reference, own(0)).met, of(reference, own(1)).met], [true, true]);
    // Five of 400 lost, one may be luck: the interval holds 0 and more than two points.
    const mixed = infilling('bench/m-int8-suffix-first.jsonl', {
      ...{ source: 'node', failed: 8, id: 'm' },
    });
    const unlucky = infilling('bench/m-fp32-suffix-first.jsonl', {
      ...{ source: 'reference-m.jsonl', failed: 5 },
    });
    assert.equal(of(unlucky, mixed).met, false);
  });

  it('is of one model, and named for it', () => {
    const found = goalsOf(
      { ...NOTHING, infilling: [reference, own(40, 'other'), own(0)] },
      SHIPPED,
    );
    const heads = found.filter((each) => each.goal.includes('head 1'));
    assert.deepEqual(
      heads.map(({ goal: name, met }) => [name.split(':')[0], met]),
      [['m', true]],
    );
    const { figure, remark } = of(reference, own(40, 'other'));
    assert.deepEqual([figure, remark], ['not measured', '']);
  });

  it('depends on the trunk alone', () => {
    const { model, ...run } = own(0);
    const weights = (more: object) => (model ? { ...model, ...more } : undefined);
    const met = (more: object) => of(reference, { ...run, model: weights(more) }).met;
    assert.deepEqual([met({ headsSha256: 'old' }), met({ trunkSha256: 'old' })], [true, undefined]);
  });

  it('is not met by a file that does not tell its weights, but told of', () => {
    const old = infilling('bench/m-int8-suffix-first.jsonl', { source: 'node', failed: 0 });
    const { met, remark } = of(reference, old);
    assert.equal(met, undefined);
    assert.match(remark, /^of earlier weights: \+0\.0 points/);
  });
});
