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

describe('calibration', () => {
  it('takes the fastest threshold that keeps the text near what stands there', () => {
    const { epsilon, tasks, results } = calibrationOf(runOf('own'));
    assert.deepEqual([epsilon, tasks, results], [1, 60, 'm.own.jsonl']);
  });

  it('refuses tasks that the report is about', () =>
    assert.throws(() => calibrationOf(runOf('held-out')), /calibrate with own places/));
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

  it('has nine thresholds for the main model, five for others, none without heads', () => {
    const thresholds = (model: string) =>
      steps
        .find((job) => job.model === model && job.part === 'quality')
        ?.modes.filter((mode) => mode.startsWith('fast')).length;
    assert.deepEqual(['a', 'b', 'c'].map(thresholds), [5, 9, 0]);
  });

  it('compares heads where a model has two', () => {
    const compared = steps.filter(({ part }) => part === 'heads');
    const [first] = models;
    assert.deepEqual([...new Set(compared.map(({ heads }) => heads))], first && headsNames(first));
    assert.deepEqual([...new Set(compared.map(({ model }) => model))], ['a']);
  });

  it('has few tasks when it is quick', () => {
    for (const job of planOf({ models, main: 'b', quick: true })) {
      if (job.type === 'steps') assert.ok(job.count <= 16, job.name);
    }
  });
});
