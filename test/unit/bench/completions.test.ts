import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  completionKey,
  isDone,
  openResults,
  readResults,
  type CompletionHeader,
  type CompletionOutcome,
  type CompletionRow,
} from '../../../bench/peers/completion-results';
import { completionSummaries } from '../../../bench/peers/completion-summary';
import { completionTasks, GROUPS } from '../../../bench/peers/completion-tasks';
import { appendRow } from '../../../bench/results-file';
import { characterTokenizer } from '../../fixtures/character-tokenizer';

const HEADER: CompletionHeader = {
  ...{ kind: 'peers-completions-run', version: 1, threads: 2, maxTokens: 64, peer: '3.22.1' },
  environment: {
    ...{ processor: 'one', cores: 2, memoryGigabytes: 8, system: 'Linux', node: '20' },
    ...{ onnxruntime: '1', version: '0.1.0', commit: null, vectorExtensions: ['avx2'] },
  },
};

function outcome(ms: number, text = 'x', tokens = 5): CompletionOutcome {
  const memory = { resident: 1e9, peak: 1e9 };
  return { ms, firstMs: 20, tokens, text, cpuMs: 2 * ms, memory };
}

const row = (task: string, ways: CompletionRow['ways'], context = 128): CompletionRow => ({
  ...{ model: 'm', peer: 'same', context, task, promptTokens: context, ways },
});

describe('whole completions beside llama.cpp', () => {
  it('tells times of all tasks by way, and contexts apart', () => {
    const rows = [
      row('a', { ar: outcome(60), exact: outcome(40), llama: outcome(100, 'y') }),
      row('b', { ar: outcome(120, 'x', 11), exact: outcome(70, 'x', 11), llama: outcome(220) }),
      row('c', { ar: outcome(500) }, 1024),
    ];
    const [short, long] = completionSummaries(rows);
    assert.deepEqual([short?.context, long?.context], [128, 1024]);
    const of = (way: string) => short?.ways.find((each) => each.way === way);
    // (40 + 100) ms for 4 + 10 tokens behind the first ones.
    assert.equal(of('ar')?.msPerToken, 10);
    assert.equal(of('exact')?.msPerToken, 5);
    assert.deepEqual([of('ar')?.ms, of('ar')?.firstMs, of('ar')?.cpuMs], [90, 20, 180]);
    assert.deepEqual([of('exact')?.same, of('llama')?.same], [2, 1]);
    assert.equal(of('llama-lookup'), undefined);
  });

  it('compares ways on the tasks that all of them have', () => {
    const four = { ar: outcome(60), exact: outcome(40), llama: outcome(100) };
    const rows = [
      row('a', { ...four, 'llama-draft': outcome(80) }),
      row('b', { ...four, llama: outcome(900) }),
      row('c', { ...four, 'llama-draft': outcome(60) }),
    ];
    const [{ ways = [] } = {}] = completionSummaries(rows);
    assert.deepEqual(
      ways.map(({ way, tasks, ms }) => [way, tasks, ms]),
      [
        ['ar', 2, 60],
        ['exact', 2, 40],
        ['llama', 2, 100],
        ['llama-draft', 2, 70],
      ],
    );
  });

  it('are done when every way that is wanted is there', () => {
    const two = row('a', { ar: outcome(60), llama: outcome(100) });
    assert.equal(isDone(two, ['ar', 'llama']), true);
    assert.equal(isDone(two, ['llama']), true);
    assert.equal(isDone(two, ['ar', 'llama', 'llama-draft']), false);
    assert.equal(isDone(undefined, ['ar']), false);
  });

  it('goes on from what is in its file, and takes no file of another set-up', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dynamo-completions-'));
    try {
      const path = join(folder, 'completions.jsonl');
      await openResults(path, HEADER);
      await appendRow(path, row('a', { ar: outcome(60) }));
      const later = { ...HEADER, environment: { ...HEADER.environment, commit: 'later' } };
      const done = await openResults(path, later);
      assert.ok(done.has(completionKey(row('a', {}))));
      assert.ok(!done.has(completionKey({ ...row('a', {}), peer: 'q4_0.gguf' })));
      assert.equal((await readResults(path)).rows.size, 1);
      await assert.rejects(openResults(path, { ...HEADER, threads: 1 }), /threads 2, not 1/);
      await assert.rejects(openResults(path, { ...HEADER, peer: '4' }), /peer "3\.22\.1", not "4"/);
      const environment = { ...HEADER.environment, vectorExtensions: ['avx2', 'avx512_vnni'] };
      await assert.rejects(openResults(path, { ...HEADER, environment }), /machine .*avx512_vnni/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('asks for as many prompts of each length as the group says, none twice', async () => {
    const groups = GROUPS.slice(1);
    const tasks = await completionTasks(groups, process.cwd(), {
      format: { stop: [] },
      tokenizer: characterTokenizer([], []),
    });
    for (const { context, from, to, count } of groups) {
      const own = tasks.filter((task) => task.context === context);
      assert.equal(own.length, count);
      assert.equal(new Set(own.map(({ id }) => id)).size, count);
      for (const { prompt, line } of own) {
        assert.ok(prompt.length >= from && prompt.length <= to, `${prompt.length} tokens`);
        assert.equal(line, false);
      }
    }
    const { place, prompt } = tasks.at(-1) ?? {};
    assert.ok(typeof place === 'string');
    assert.ok(place.endsWith(Buffer.from(prompt ?? []).toString()));
  });
});
