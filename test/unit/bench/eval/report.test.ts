import assert from 'node:assert/strict';
import { headsNames } from '../../../../src/models/catalog';
import { calibrationOf } from '../../../../bench/eval/calibrate';
import { figuresOfRun } from '../../../../bench/eval/figures';
import { planOf } from '../../../../bench/eval/plan';
import { reportOf } from '../../../../bench/eval/report';
import { decodingFor } from '../../../../bench/steps/modes';
import { keyOf, type ResultRow, type RunHeader } from '../../../../bench/steps/results';

const MODES = ['ar', 'exact', 'fast:1', 'fast:0.5', 'fast:0', 'fast:0.5,otsu=off'];

/** Every mode twice as fast as plain decoding but for 0, which is thrice as fast and wrong. */
function rowsOf(kind: ResultRow['kind'], count: number): ResultRow[] {
  return Array.from({ length: count }, (_, i) => {
    const plain = {
      ...{ text: `x = ${i}`, tokens: 7, stopReason: 'newline', steps: [1, 1, 1, 1, 1, 1, 1] },
      ...{ drafts: [], prefillMs: 1, decodeMs: 60, passed: true },
    };
    const other = { ...plain, steps: [1, 2, 2, 2], decodeMs: 30 };
    const modes = MODES.map((mode) => [mode, mode === 'ar' ? plain : other] as const);
    const wrong = { ...plain, text: 'no', steps: [1, 3, 3], decodeMs: 20, passed: false };
    return { id: String(i), kind, modes: { ...Object.fromEntries(modes), 'fast:0': wrong } };
  });
}

const HEADER: RunHeader = {
  ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
  ...{ modes: MODES, maxTokens: 64, threads: 2 },
};

function runOf(kind: ResultRow['kind']) {
  const rows = rowsOf(kind, 60);
  const expected = new Map(rows.map((row) => [keyOf(row), row.modes['ar']?.text ?? '']));
  const [run] = figuresOfRun(
    { file: `bench/eval/results/m.${kind}.jsonl`, header: HEADER, rows },
    expected,
  );
  assert.ok(run);
  return run;
}

const NOTHING = {
  runs: [],
  peers: [],
  completions: [],
  judges: [],
  infilling: [],
  heads: [],
  files: [],
};

describe('the report', () => {
  it('says of everything that there is no figure of that it was not measured', () => {
    const { markdown, plots } = reportOf(NOTHING, ['m']);
    assert.match(markdown, /m: same-quality speed-up ≥ 2\.57 × \| not measured/);
    assert.match(markdown, /- m: quality against speed-up, line\./);
    assert.equal(plots.size, 0);
  });

  it('names the raw file of every run, and draws what it says', () => {
    const { markdown, plots } = reportOf({ ...NOTHING, runs: [runOf('line')] }, ['m']);
    assert.match(markdown, /\[m\.line\.jsonl\]\(eval\/results\/m\.line\.jsonl\)/);
    assert.ok(plots.has('m-line-ablation.svg'));
    for (const [name, content] of plots) {
      assert.ok(markdown.includes(`(plots/${name})`), name);
      assert.match(content, /prefers-color-scheme: dark/);
      assert.doesNotMatch(content, /NaN|Infinity|undefined/, name);
    }
  });

  it('takes the fastest threshold that keeps the quality, and says what the goal needs', () => {
    const run = { ...runOf('line'), points: runOf('line').points.slice(0, 5) };
    const { markdown, plots } = reportOf({ ...NOTHING, runs: [run] }, ['m']);
    assert.match(markdown, /\*\*Same-quality speed-up 2\.00 ×\*\*/);
    // A step costs as much as a plain one, so 2.57 tokens of it are needed.
    assert.match(markdown, /needs 2\.57 tokens a step/);
    assert.match(markdown, /ceiling on this machine 3\.00 ×/);
    assert.match(plots.get('m-line-quality.svg') ?? '', /class="ring"/);
  });
});

describe('a mode that only some tasks were run in', () => {
  it('is compared with plain decoding on those, and says how many there are', () => {
    const header = { ...HEADER, modes: MODES.filter((mode) => !mode.includes(',')) };
    const rows = rowsOf('line', 60).map((row, i) => {
      // A machine that became slow behind the sample.
      const ar = row.modes['ar'];
      assert.ok(ar);
      if (i < 20) return row;
      const modes: ResultRow['modes'] = { ...row.modes, ar: { ...ar, decodeMs: 600 } };
      delete modes['fast:0.5'];
      return { ...row, modes };
    });
    const [run] = figuresOfRun({ file: 'x.jsonl', header, rows }, new Map());
    assert.ok(run);
    const point = run.points.find(({ mode }) => mode === 'fast:0.5');
    assert.deepEqual([point?.figures.tasks, point?.figures.same], [20, 20]);
    assert.equal(point?.figures.speedUp, 2);
    assert.equal(point.scores.passed?.tasks, 20);
    assert.equal(point.stepCost, 1);
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, ['m']);
    assert.match(markdown, /fast:0\.5.*\| 20 of 20 \|/);
  });
});

describe('calibration', () => {
  /** Speeds by mode, in place of those that were measured; exact mode's ones are added. */
  function withSpeeds(kind: ResultRow['kind'], speeds: Record<string, number>) {
    const { points, ...run } = runOf(kind);
    const [plain] = points;
    assert.ok(plain);
    const budgets = Object.keys(speeds).filter((mode) => mode.startsWith('exact,'));
    const made = [
      ...points,
      ...budgets.map((mode) => ({ ...plain, mode, epsilon: undefined })),
    ].map((point) => {
      const speedUp = speeds[point.mode] ?? point.figures.speedUp;
      return { ...point, figures: { ...point.figures, speedUp } };
    });
    return { ...run, points: made };
  }
  const slow = { 'exact,rows=2': 1.2, 'exact,rows=4': 1.495, 'exact,rows=8': 1.5 };

  it('takes the fastest threshold that keeps the text near what stands there', () => {
    const { epsilon, rows, tasks, results } = calibrationOf(withSpeeds('own', slow));
    assert.deepEqual([epsilon, tasks, results], [1, 60, 'm.own.jsonl']);
    assert.equal(rows, 4, 'the fewest rows that are as fast as it gets');
    const { epsilon: faster } = calibrationOf(withSpeeds('own', { ...slow, 'fast:0.5': 2.1 }));
    assert.equal(faster, 0.5);
  });

  it('takes none that exact mode beats', () => {
    const fast = { ...slow, 'fast:0.5': 1.3, 'fast:1': 1 };
    assert.equal(calibrationOf(withSpeeds('own', fast)).epsilon, 1);
  });

  it('refuses tasks that the report is about, and runs that do not tell how many rows pay', () => {
    assert.throws(() => calibrationOf(withSpeeds('held-out', slow)), /calibrate with own places/);
    assert.throws(() => calibrationOf(runOf('own')), /no modes exact,rows=N/);
  });

  it('is told apart from what the report is about', () => {
    const run = withSpeeds('own', slow);
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, ['m']);
    const [before = '', after = ''] = markdown.split('## Calibration');
    assert.match(after, /\*\*ε_b 1, 4 rows\*\* a step at most, from 60 places/);
    assert.doesNotMatch(before, /m\.own\.jsonl/);
    assert.match(before, /same-quality speed-up ≥ 2\.57 × \| not measured/);
  });
});

describe('the plan', () => {
  const models = [
    { id: 'a', heads: { default: 'independent', others: ['shared'] } },
    { id: 'b', heads: { default: 'shared' } },
    { id: 'c' },
  ];
  const jobs = planOf({ models, main: 'b', quick: false });
  const steps = jobs.flatMap((job) => (job.type === 'steps' ? [job] : []));

  it('has modes that there are, a file for each run, and plain decoding in all', () => {
    for (const { modes, name } of steps) {
      modes.forEach(decodingFor);
      assert.equal(modes[0], 'ar', name);
    }
    assert.equal(new Set(steps.map(({ name }) => name)).size, steps.length);
  });

  it('has nine thresholds or more for the main model, five for others, none without heads', () => {
    const thresholds = (model: string) =>
      steps
        .find((job) => job.model === model && job.part === 'quality')
        ?.modes.filter((mode) => mode.startsWith('fast')).length;
    assert.deepEqual(['a', 'b', 'c'].map(thresholds), [5, 10, 0]);
  });

  it('compares heads where a model has two', () => {
    const compared = steps.filter(({ part }) => part === 'heads');
    const [first] = models;
    assert.deepEqual([...new Set(compared.map(({ heads }) => heads))], first && headsNames(first));
    assert.deepEqual([...new Set(compared.map(({ model }) => model))], ['a']);
  });

  it('runs low thresholds on a sample, and none that the goals are about', () => {
    const job = steps.find(({ name }) => name === 'b.quality.line');
    assert.ok(job?.sampled);
    assert.ok(job.sampled.count < job.count);
    assert.ok(job.sampled.modes.includes('fast:0') && !job.sampled.modes.includes('fast:0.9'));
    assert.ok(!job.sampled.modes.includes('exact'));
  });

  it('has single steps and whole completions beside llama.cpp, the latter with one thread, too', () => {
    const peers = jobs.filter((job) => job.type === 'peers' && job.model === 'b');
    assert.equal(new Set(peers.map(({ name }) => name)).size, 3);
  });

  it('has few tasks when it is quick', () => {
    for (const job of planOf({ models, main: 'b', quick: true })) {
      if (job.type === 'steps') assert.ok(job.count <= 16, job.name);
    }
  });
});
