import assert from 'node:assert/strict';
import { besideSections, completionsOf } from '../../../../bench/eval/beside';
import { goalsOf } from '../../../../bench/eval/goals';
import { headsSections, shortlistsCompared } from '../../../../bench/eval/heads';
import type { HeadsMeasures, PeerCompletions } from '../../../../bench/eval/load';
import { reportOf } from '../../../../bench/eval/report';
import type { CompletionHeader, Way } from '../../../../bench/peers/completion-results';
import type { WayFigures } from '../../../../bench/peers/completion-summary';
import { NOTHING, SHIPPED, VERSION } from './evidence';

const figures = (way: Way, msPerToken: number): WayFigures => ({
  ...{ way, msPerToken, tasks: 4, ms: 500, firstMs: 100, cpuMs: 900, tokens: 10 },
  ...{ resident: 1e9, same: 4, drafts: { tried: 0, held: 0 } },
});

const decoded = (msPerToken: number) => ({ ms: 10 * msPerToken, tokens: 10 });

/** Exact mode takes 10 ms a token, llama.cpp so many by context. */
function measured(
  file: string,
  begun: string,
  theirs: Record<number, number>,
  { peer = 'same', threads = 2, weights = { m: VERSION } as PeerCompletions['weights'] } = {},
): PeerCompletions {
  const environment: CompletionHeader['environment'] = {
    ...{ processor: 'one', cores: 2, memoryGigabytes: 8, system: 'Linux', node: '20' },
    ...{ onnxruntime: '1', version: '0.1.0', commit: null, begun },
  };
  return {
    ...{ file, weights },
    header: {
      ...{ kind: 'peers-completions-run', version: 1, threads, maxTokens: 64, peer: '3' },
      environment,
    },
    groups: Object.entries(theirs).map(([context, ms]) => ({
      ...{ model: 'm', peer, context: Number(context) },
      promptTokens: { least: Number(context) - 9, most: Number(context) },
      ways: [figures('ar', 20), figures('exact', 10), figures('llama', ms)],
      texts: Array.from({ length: 4 }, () => ({
        ...{ ar: decoded(20), exact: decoded(10), llama: decoded(ms) },
      })),
    })),
  };
}

describe('beside llama.cpp', () => {
  const old = measured('bench/a/old.jsonl', '2026-01-01', { 128: 40 });
  const later = measured('bench/a/later.jsonl', '2026-02-01', { 128: 20, 1024: 26 });

  it('takes the latest run of each comparison, and tells the others apart', () => {
    const { current, older } = completionsOf([later, old], SHIPPED);
    assert.deepEqual(new Set(current.map(({ file }) => file)), new Set([later.file]));
    assert.deepEqual(
      older.map(({ file }) => file),
      [old.file],
    );
    const text = besideSections([], [later, old], SHIPPED).join('\n\n');
    const [tables = '', others = ''] = text.split('### Other runs');
    assert.match(
      tables,
      /prompts of 119 to 128 tokens, 2 threads, 4 prompts of 4 texts.*\*\*2\.00 ×\*\* \(2\.00 to 2\.00; goal 2\.5 ×, missed\)/,
    );
    assert.match(
      tables,
      / 1024 tokens, 2 threads.*\*\*2\.60 ×\*\* \(2\.60 to 2\.60; goal 2\.5 ×, met\)/,
    );
    assert.doesNotMatch(tables, /old\.jsonl/);
    assert.match(others, /old\.jsonl/);
  });

  it('lists prompts that were not asked', () => {
    const { markdown } = reportOf({ ...NOTHING, completions: [later] }, SHIPPED);
    const [, missing = ''] = markdown.split('## What was not measured');
    assert.match(
      missing,
      /m: whole .* on the same file, 2 threads \(there are 4 of 32 prompts about 128 tokens long, 4 of 12 .* 1024 .*, 0 of 3 .* 4096 .*\)\./,
    );
    assert.match(missing, /m: whole .* on another quantisation, 1 thread\./);
  });

  it('takes an older run of the weights that are shipped before a later one of others', () => {
    const other = { ...VERSION, trunkSha256: 'another' };
    const stale = measured(
      'bench/a/stale.jsonl',
      '2026-03-01',
      { 128: 90 },
      { weights: { m: other } },
    );
    const { current, older } = completionsOf([old, stale], SHIPPED);
    assert.deepEqual([current[0]?.file, older[0]?.file], [old.file, stale.file]);
    const text = besideSections([], [old, stale], SHIPPED).join('\n\n');
    assert.match(text, /\| m, whole completions.*\| one, 2 cores \| 2 \| earlier \|.*stale\.jsonl/);
    const alone = besideSections([], [stale], SHIPPED).join('\n\n');
    assert.match(alone, /\*\*9\.00 ×\*\* \(9\.00 to 9\.00; goal 2\.5 ×, with earlier weights\)/);
    assert.match(
      alone,
      /Raw: \[stale\.jsonl\]\(a\/stale\.jsonl\) \(one, 2 cores; of earlier weights\)\./,
    );
  });

  it('takes the latest of each machine, and of earlier weights none where there are others', () => {
    const elsewhere = measured('bench/a/vnni.jsonl', '2025-01-01', { 128: 15 });
    const { header } = elsewhere;
    const environment = { ...header.environment, processor: 'two' };
    const other = { ...elsewhere, header: { ...header, environment } };
    const earlier = { ...other, file: 'bench/a/earlier.jsonl', weights: {} };
    const files = (...all: PeerCompletions[]) =>
      completionsOf(all, SHIPPED).current.map(({ file }) => file);
    assert.deepEqual(new Set(files(old, other, earlier)), new Set([old.file, other.file]));
    assert.deepEqual(files(earlier), [earlier.file]);
  });

  it('tells apart by a file’s name what its header does not tell', () => {
    const pages = measured('bench/a/two-cores-2mb-pages.jsonl', '2025-01-01', { 128: 30 });
    const [row] = /\| m, whole.*2mb-pages.*/.exec(
      besideSections([], [old, pages], SHIPPED).join('\n'),
    ) ?? [''];
    assert.match(row, /\| one, 2 cores, 2 MB pages \| 2 \| shipped \|/);
  });

  it('holds the worst context and number of threads against the goal', () => {
    const one = measured('bench/a/one.jsonl', '2026-02-01', { 128: 30 }, { threads: 1 });
    const q4 = measured('bench/a/q4.jsonl', '2026-02-01', { 128: 16 }, { peer: 'q4_0.gguf' });
    const goals = goalsOf({ ...NOTHING, completions: [later, old, one, q4] }, SHIPPED);
    const of = (name: RegExp) => goals.find(({ goal }) => name.test(goal));
    const told = (name: RegExp) => [of(name)?.figure, of(name)?.verdict];
    assert.deepEqual(told(/same GGUF/), ['2.00 × (2.00 to 2.00)', 'missed']);
    assert.match(
      of(/same GGUF/)?.remark ?? '',
      /context 128, 2 threads, 4 prompts of 4 texts; plain against plain 1\.00 ×; 1\.25 × faster/,
    );
    assert.deepEqual(told(/Q4_0/), ['1.60 × (1.60 to 1.60)', 'met']);
  });
});

describe('the report on heads', () => {
  const measures = (more: Partial<HeadsMeasures>): HeadsMeasures => ({
    ...{ file: 'training/results/a/measures.json', name: 'a', base: 'b', kind: 'shared' },
    ...{ layers: 1, positions: 100, ppl: { '1': 2, '2': 4, '1:2': 3 }, dynamic: [] },
    ...{ agreement: { '2': 0.5 }, accepted: 1.5, ...more },
  });

  it('has a row for each measure, T2, T3 and T4 and kinds side by side', () => {
    const heads = [
      measures({ name: 't4', tokens: 4, ppl: { '1': 2, '2': 4, '3': 5, '4': 6, '1:4': 4.5 } }),
      measures({ name: 't3', tokens: 3, kind: 'chained' }),
      measures({ name: 't2', tokens: 2, kind: 'independent', layers: 2, accepted: undefined }),
    ];
    const [table = ''] = headsSections(heads);
    const lines = table.split('\n');
    assert.match(lines[0] ?? '', /PPL_4 .*PPL_1:4 .*agreement 4/);
    assert.match(lines[2] ?? '', /b T2 independent, 2 layers .*not measured/);
    assert.match(lines[3] ?? '', /b T3 chained /);
    assert.match(lines[4] ?? '', /b T4 shared .* 4\.5 /);
  });

  it('compares shortlists where the same heads were measured with several', () => {
    const whole = measures({ tokens: 3, shortlist: 32768, accepted: 1.6 });
    const short = measures({ tokens: 3, shortlist: 12288, accepted: 1.5 });
    assert.ok(!shortlistsCompared([whole, { ...short, name: 'other' }]));
    assert.ok(shortlistsCompared([whole, short]));
    assert.match(
      headsSections([whole, short]).at(-1) ?? '',
      /32,768 \| 1\.600.*\n.*12,288 \| 1\.500/,
    );
  });
});
