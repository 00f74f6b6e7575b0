import assert from 'node:assert/strict';
import { headsNames } from '../../../../src/models/catalog';
import { calibrationOf } from '../../../../bench/eval/calibrate';
import { figuresOfRun, sameQualityPoint, type RunFigures } from '../../../../bench/eval/figures';
import type { HeadsMeasures } from '../../../../bench/eval/load';
import { planOf } from '../../../../bench/eval/plan';
import { reportOf } from '../../../../bench/eval/report';
import { FEWEST } from '../../../../bench/eval/statistics';
import { decodingFor } from '../../../../bench/steps/modes';
import { keyOf, type Outcome, type ResultRow } from '../../../../bench/steps/results';
import { HEADER, NOTHING, SHIPPED } from './evidence';

const MODES = ['ar', 'exact', 'fast:1', 'fast:0.5', 'fast:0', 'fast:0.5,otsu=off'];
const SWEEP = MODES.filter((mode) => !mode.includes(','));

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
    return { id: `f${i}.ts:7`, kind, modes: { ...Object.fromEntries(modes), 'fast:0': wrong } };
  });
}

function figuresOf(
  kind: ResultRow['kind'],
  rows: readonly ResultRow[],
  modes: readonly string[] = MODES,
  header = {},
): RunFigures {
  const expected = new Map(rows.map((row) => [keyOf(row), row.modes['ar']?.text ?? '']));
  const [run] = figuresOfRun(
    {
      file: `bench/eval/results/m.${kind}.jsonl`,
      header: { ...HEADER, modes: [...modes], ...header },
      rows,
    },
    expected,
  );
  assert.ok(run);
  return run;
}

const runOf = (kind: ResultRow['kind'], count = 160, modes = MODES) =>
  figuresOf(kind, rowsOf(kind, count), modes);

/** Rows with some modes' outcomes changed. */
const changed = (
  rows: readonly ResultRow[],
  change: (outcome: Outcome, mode: string, task: number) => Partial<Outcome>,
): ResultRow[] =>
  rows.map((row, task) => ({
    ...row,
    modes: Object.fromEntries(
      Object.entries(row.modes).map(([mode, made]) => [
        mode,
        { ...made, ...change(made, mode, task) },
      ]),
    ),
  }));

describe('the report', () => {
  it('says of everything that there is no figure of that it was not measured', () => {
    const { markdown, plots } = reportOf(NOTHING, SHIPPED);
    assert.match(markdown, /m: same-quality speed-up ≥ 2\.57 × \| not measured/);
    assert.match(markdown, /- m: quality against speed-up, line\./);
    assert.equal(plots.size, 0);
  });

  it('says how models decode that are not calibrated', () => {
    const sectionOf = (shipped: typeof SHIPPED) =>
      /## Calibration\n([^]*?)\n## /.exec(reportOf(NOTHING, shipped).markdown)?.[1] ?? '';
    const says =
      /No model has such a file yet: where there is none, fast mode takes ε_b 1.*exact mode/s;
    assert.match(sectionOf(SHIPPED), /Not measured\./);
    assert.match(sectionOf(SHIPPED), says);
    const done = SHIPPED.map((model) => ({ ...model, id: 'done', calibrated: true }));
    assert.match(sectionOf([...SHIPPED, ...done]), /There is no such file for m:/);
    assert.doesNotMatch(sectionOf(done), /such (a )?file/);
  });

  it('names the raw file of every run, and draws what it says', () => {
    const { markdown, plots } = reportOf({ ...NOTHING, runs: [runOf('line')] }, SHIPPED);
    assert.match(markdown, /\[m\.line\.jsonl\]\(eval\/results\/m\.line\.jsonl\)/);
    assert.ok(plots.has('m-line-ablation.svg'));
    for (const [name, content] of plots) {
      assert.ok(markdown.includes(`(plots/${name})`), name);
      assert.match(content, /prefers-color-scheme: dark/);
      assert.doesNotMatch(content, /NaN|Infinity|undefined/, name);
    }
  });

  it('takes the fastest threshold that keeps the quality, and says what the goal needs', () => {
    const run = runOf('line', 160, SWEEP);
    const { markdown, plots } = reportOf({ ...NOTHING, runs: [run] }, SHIPPED);
    assert.match(markdown, /\*\*Same-quality speed-up 2\.00 ×\*\*/);
    // A step costs as much as a plain one, so 2.57 tokens of it are needed.
    assert.match(markdown, /needs 2\.57 tokens a step and has 2\.00/);
    assert.match(markdown, /fast mode reaches at most 3\.00 ×, at ε_b 0 \(3\.00 tokens a step/);
    assert.match(plots.get('m-line-quality.svg') ?? '', /class="ring"/);
  });

  it('says by definition what plain decoding is, and that few problems show nothing', () => {
    const run = runOf('line', 60, SWEEP);
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, SHIPPED);
    assert.match(markdown, /\| 1 × by definition \(ε_b 1\) \| missed \|/);
    assert.match(
      markdown,
      /\*\*Same-quality speed-up 1 × by definition\*\*.* 60 problems are too few/,
    );
    assert.match(markdown, /\| exact .*\| 100\.0 %, the same by definition \|/);
    assert.match(markdown, /\| fast:0\.5 .*\| 100\.0 %, \+0\.0 \(−5\.0 to \+5\.0\) \|/);
  });

  it('says where plain decoding itself passes so little that two points say little', () => {
    const tenth = (share: number) =>
      figuresOf(
        'line',
        changed(rowsOf('line', 160), (_, __, task) => ({ passed: task < 160 * share })),
        SWEEP,
      );
    const said = (run: RunFigures) => reportOf({ ...NOTHING, runs: [run] }, SHIPPED).markdown;
    assert.match(said(tenth(0.05)), /Plain decoding itself passes 5\.0 % of the tests/);
    assert.doesNotMatch(said(tenth(0.1)), /Plain decoding itself passes/);
  });

  it('does not take another text for plain decoding, whatever ε_b is', () => {
    const rows = changed(rowsOf('line', 160), (_, mode) =>
      mode === 'fast:1' || mode === 'fast:0.5' ? { text: 'no', passed: false } : {},
    );
    const run = figuresOf('line', rows, SWEEP);
    assert.equal(sameQualityPoint(run), undefined);
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, SHIPPED);
    assert.match(markdown, /No ε_b is shown to keep the quality/);
  });

  it('judges several lines by edit similarity, one by its being equal, both by tests where there are some', () => {
    const untested = (kind: ResultRow['kind']) =>
      figuresOf(
        kind,
        changed(rowsOf(kind, 10), () => ({ passed: undefined })),
      ).measure;
    assert.deepEqual((['line', 'span', 'held-out', 'own'] as const).map(untested), [
      ...['exact', 'similarity', 'similarity', 'similarity'],
    ]);
    assert.deepEqual(
      (['line', 'span'] as const).map((kind) => runOf(kind, 10).measure),
      [...['passed', 'passed']],
    );
  });

  it('counts steps behind the first one, and their tokens as far as the text goes', () => {
    const rows = changed(rowsOf('line', 10), (_, mode) =>
      mode === 'fast:0.5' ? { tokens: 8, steps: [3, 3, 8], decodeMs: 40 } : {},
    );
    const point = figuresOf('line', rows).points.find(({ mode }) => mode === 'fast:0.5');
    assert.ok(point);
    const { tokensPerStep, speedUp } = point.figures;
    assert.deepEqual([tokensPerStep, point.shares], [2.5, [0, 0.5, 0.5]]);
    assert.equal(point.stepCost, 2);
    // Seven tokens behind the first one, of which the first step gives two.
    assert.equal(speedUp * point.stepCost, 2.5 + 2 / 2);
  });

  it('tells runs of one thing apart', () => {
    const environment = {
      ...{ processor: 'Some CPU', cores: 2, memoryGigabytes: 8, system: 'Linux', node: '20' },
      ...{ onnxruntime: '1', version: '0.1.0', commit: null },
    };
    const rows = rowsOf('held-out', 6);
    const runs = [
      figuresOf('held-out', rows, ['ar', 'exact'], { environment, threads: 1 }),
      figuresOf('held-out', rows, ['ar', 'exact'], { trunkSha256: 'other', threads: null }),
    ];
    const { markdown } = reportOf({ ...NOTHING, runs }, SHIPPED);
    const row = (...cells: string[]) => new RegExp(`\\| ${cells.join(' \\| ')} \\|`);
    assert.match(
      markdown,
      row(
        'm, held-out',
        '6 tasks of 6 files',
        'shared',
        'shipped',
        'Some CPU, 2 cores',
        '1 thread',
      ),
    );
    assert.match(
      markdown,
      row(
        ...['m, held-out', '6 tasks of 6 files', 'shared', 'earlier', 'a machine not recorded'],
        'threads of the engine’s choice',
      ),
    );
  });

  it('says which runs are of earlier weights, and that those measured nothing of the present ones', () => {
    const run = runOf('line', 160, SWEEP);
    const header = { ...run.header };
    delete header.trunkSha256;
    const { markdown } = reportOf({ ...NOTHING, runs: [{ ...run, header }] }, SHIPPED);
    assert.match(markdown, /### m, line, 160 tasks of 160 problems \(.*, of earlier weights\)/);
    assert.match(markdown, /- m: quality against speed-up, line\./);
    assert.match(markdown, /\| shared `trained` \| earlier \|/);
    const current = reportOf({ ...NOTHING, runs: [runOf('line', 160, SWEEP)] }, SHIPPED).markdown;
    assert.doesNotMatch(current, /- m: quality against speed-up, line\./);
  });

  it('lists what it could not score', () => {
    const refused = ['own.jsonl: what stands at a place has changed'];
    const { markdown } = reportOf({ ...NOTHING, refused }, SHIPPED);
    assert.match(markdown, /- Not scored\. own\.jsonl: what stands at a place has changed/);
  });

  it('tells measures of heads apart by shortlist and run', () => {
    const measures = (name: string, shortlist: number): HeadsMeasures => ({
      ...{ file: `training/results/${name}/measures.json`, name, base: 'b', kind: 'shared' },
      ...{ layers: 1, tokens: 2, shortlist, positions: 9, ppl: { '1': 2 }, agreement: {} },
      dynamic: [{ epsilon: 0.5, ppl: 3, tokens: 1.5 }],
    });
    const heads = [measures('one', 8192), measures('two', 4096)];
    const { markdown } = reportOf({ ...NOTHING, heads }, SHIPPED);
    assert.match(markdown, /\| heads \| shortlist \| ε_b 0\.5 \| raw \|/);
    assert.match(
      markdown,
      /\| b T2 shared \| 8,192 \| 3\.0 \(1\.50\) \| \[one\/measures\.json\]\(\.\.\/training\/results\/one\/measures\.json\) \|/,
    );
    assert.match(markdown, /\| b T2 shared \| 4,096 \| .* \[two\/measures\.json\]/);
  });
});

describe('a mode that only some tasks were run in', () => {
  /** A machine that became slow behind the sample, and tasks that became hard. */
  function sampled(): RunFigures {
    const rows = rowsOf('line', 160).map((row, i) => {
      const ar = row.modes['ar'];
      assert.ok(ar);
      if (i < 20) return row;
      const modes: ResultRow['modes'] = { ...row.modes, ar: { ...ar, decodeMs: 600 } };
      delete modes['fast:0.5'];
      delete modes['fast:0'];
      const failed = Object.entries(modes).map(([mode, made]) => [
        mode,
        { ...made, passed: false },
      ]);
      return { ...row, modes: Object.fromEntries(failed) as ResultRow['modes'] };
    });
    return figuresOf('line', rows, SWEEP);
  }

  it('is compared with plain decoding on those, and says how many there are', () => {
    const run = sampled();
    const point = run.points.find(({ mode }) => mode === 'fast:0.5');
    assert.deepEqual([point?.figures.tasks, point?.figures.same], [20, 20]);
    assert.equal(point?.figures.speedUp, 2);
    assert.equal(point.scores.passed?.tasks, 20);
    assert.equal(point.stepCost, 1);
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, SHIPPED);
    assert.match(markdown, /fast:0\.5.*\| 20 of 20 \|/);
  });

  it('is drawn by its difference to those, so that all points have one line of plain decoding', () => {
    const plot = reportOf({ ...NOTHING, runs: [sampled()] }, SHIPPED).plots.get(
      'm-line-quality.svg',
    );
    const [, plain] =
      /class="rule" x1="[\d.]+" y1="([\d.]+)".*\n.*>plain decoding</.exec(plot ?? '') ?? [];
    const dots = [...(plot ?? '').matchAll(/<circle class="[ac]" cx="[\d.]+" cy="([\d.]+)"/g)];
    // ε_b 0 is wrong everywhere; the others are plain decoding's.
    const level = dots.filter(([, y]) => y === plain);
    assert.deepEqual([dots.length, level.length], [4, 3]);
    assert.match(plot ?? '', />tests passed, points from plain</);
  });
});

describe('calibration', () => {
  const BUDGETS = ['exact,rows=2', 'exact,rows=4', 'exact,rows=8'];

  /** Own places in exact mode with several budgets and at ε_b 0.5, each mode with a time for each task. */
  function measured(
    ms: Readonly<Record<string, (task: number) => number>>,
    { kind = 'own', count = 160 }: { kind?: ResultRow['kind']; count?: number } = {},
  ): RunFigures {
    const rows = rowsOf(kind, count).map((row, task): ResultRow => {
      const { ar, exact } = row.modes;
      assert.ok(ar && exact);
      const made = Object.entries(ms).map(([mode, time]) => [
        mode,
        { ...exact, decodeMs: time(task) },
      ]);
      return { ...row, modes: { ar, ...(Object.fromEntries(made) as ResultRow['modes']) } };
    });
    return figuresOf(kind, rows, ['ar', ...Object.keys(ms)]);
  }

  /** Two rows are fastest; four are slower by less than any run can tell, eight in every task. */
  const budgets = {
    'exact,rows=2': () => 30,
    'exact,rows=4': (task: number) => (task % 2 === 0 ? 36 : 24.1),
    'exact,rows=8': () => 31,
  };

  it('takes the most rows that are not shown to be slower, by tasks that are paired', () => {
    assert.deepEqual(Object.keys(budgets), BUDGETS);
    assert.equal(calibrationOf(measured(budgets)).rows, 4);
    // 3 % are not told apart where tasks differ by more than that.
    const noisy = { ...budgets, 'exact,rows=8': (task: number) => (task % 2 === 0 ? 22 : 40) };
    assert.equal(calibrationOf(measured(noisy)).rows, 8);
    // Half a percent is, where it is the same in every task.
    const steady = { ...budgets, 'exact,rows=4': () => 30.15 };
    assert.equal(calibrationOf(measured(steady)).rows, 2);
  });

  it('takes the fastest threshold that keeps the text near what stands there', () => {
    const run = measured({ ...budgets, 'fast:0.5': () => 25 });
    const { epsilon, tasks, results } = calibrationOf(run);
    assert.deepEqual([epsilon, tasks, results], [0.5, 160, 'm.own.jsonl']);
  });

  it('takes none that is not shown to beat exact mode, or by few places', () => {
    const slower = { ...budgets, 'fast:0.5': () => 32 };
    const unsure = { ...budgets, 'fast:0.5': (task: number) => (task % 2 === 0 ? 10 : 49) };
    const faster = { ...budgets, 'fast:0.5': () => 25 };
    assert.equal(calibrationOf(measured(slower)).epsilon, 1);
    assert.equal(calibrationOf(measured(unsure)).epsilon, 1);
    assert.equal(calibrationOf(measured(faster, { count: FEWEST - 1 })).epsilon, 1);
  });

  it('refuses tasks that the report is about, and runs that do not tell how many rows pay', () => {
    assert.throws(
      () => calibrationOf(measured(budgets, { kind: 'held-out' })),
      /calibrate with own places/,
    );
    assert.throws(() => calibrationOf(runOf('own')), /no modes exact,rows=N/);
  });

  it('is told apart from what the report is about', () => {
    const run = measured({ ...budgets, 'fast:0.5': () => 32 });
    const { markdown } = reportOf({ ...NOTHING, runs: [run] }, SHIPPED);
    const [before = '', after = ''] = markdown.split('## Calibration');
    assert.match(after, /\*\*ε_b 1, 4 rows\*\* a step at most, from 160 places/);
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
    assert.deepEqual(['a', 'b', 'c'].map(thresholds), [6, 10, 0]);
  });

  it('compares heads where a model has two', () => {
    const compared = steps.filter(({ part }) => part === 'heads');
    const [first] = models;
    assert.deepEqual([...new Set(compared.map(({ heads }) => heads))], first && headsNames(first));
    assert.deepEqual([...new Set(compared.map(({ model }) => model))], ['a']);
  });

  it('switches the mask off where there are heads that need one, and on where there are not', () => {
    const modes = (model: string) =>
      steps.find((job) => job.model === model && job.part === 'ablation')?.modes ?? [];
    assert.ok(modes('a').includes('fast:0.5,mask=off'));
    assert.ok(modes('b').includes('fast:0.5,alpha=1'));
    const swapped = planOf({
      models: [{ id: 'a', heads: { default: 'shared', others: ['independent'] } }],
      ...{ main: 'b', quick: false },
    });
    const job = swapped.find(({ part }) => part === 'ablation');
    assert.ok(job?.type === 'steps' && job.heads === 'independent');
    assert.ok(job.modes.includes('fast:0.5,mask=off'));
  });

  it('runs low thresholds on a sample, and none that the goals are about', () => {
    const job = steps.find(({ name }) => name === 'b.quality.line');
    assert.ok(job?.sampled);
    assert.ok(job.sampled.count < job.count);
    assert.ok(job.sampled.modes.includes('fast:0') && !job.sampled.modes.includes('fast:0.9'));
    assert.ok(!job.sampled.modes.includes('exact'));
  });

  it('has single steps and whole completions beside llama.cpp, the latter with one thread, too', () => {
    const peers = jobs.flatMap((job) => (job.type === 'peers' && job.model === 'b' ? [job] : []));
    assert.deepEqual(
      peers.map(({ name }) => name),
      ['b.peers', 'b.peers.completions', 'b.peers.completions.1-thread'],
    );
  });

  it('calibrates on as many places as can show something', () => {
    for (const { count } of steps.filter(({ part }) => part === 'calibration')) {
      assert.ok(count >= FEWEST, `${count}`);
    }
  });

  it('has few tasks when it is quick', () => {
    for (const job of planOf({ models, main: 'b', quick: true })) {
      if (job.type === 'steps') assert.ok(job.count <= 16, job.name);
    }
  });
});
