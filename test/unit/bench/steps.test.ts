import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentOf } from '../../../bench/environment';
import { openResults, type RunHeader } from '../../../bench/steps/results';
import { KINDS, tasksOf } from '../../../bench/steps/tasks';

const OLD: RunHeader = {
  ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
  ...{ modes: ['ar', 'exact'], maxTokens: 64, threads: 2 },
};
const NEW: RunHeader = {
  ...OLD,
  headsSha256: 'a'.repeat(64),
  environment: environmentOf(process.cwd()),
};

describe('a run of several modes', () => {
  async function resume(found: RunHeader, wanted: RunHeader) {
    const folder = await mkdtemp(join(tmpdir(), 'steps-'));
    try {
      const path = join(folder, 'run.jsonl');
      await writeFile(path, `${JSON.stringify(found)}\n`);
      return await openResults(path, wanted);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it('goes on where it stood', async () => void (await resume(NEW, NEW)));

  it('goes on when only the commit changed, or when its file tells less', async () => {
    const { environment } = NEW;
    assert.ok(environment);
    await resume(NEW, { ...NEW, environment: { ...environment, commit: 'other' } });
    await resume(OLD, NEW);
  });

  it('does not mix heads, machines, modes or threads', async () => {
    const { environment } = NEW;
    assert.ok(environment);
    for (const other of [
      { ...NEW, headsSha256: 'b'.repeat(64) },
      { ...NEW, environment: { ...environment, processor: 'another' } },
      { ...NEW, modes: ['ar'] },
      { ...NEW, threads: 1 },
    ]) {
      await assert.rejects(resume(NEW, other), /another run/);
    }
  });
});

describe('the tasks of every kind', () => {
  for (const kind of KINDS) {
    it(`are there and have names of their own: ${kind}`, async () => {
      const tasks = await tasksOf(kind, process.cwd());
      assert.ok(tasks.length >= 50, `${tasks.length}`);
      assert.equal(new Set(tasks.map(({ id }) => id)).size, tasks.length);
    });
  }

  it('know what stands at a place of code', async () => {
    for (const task of await tasksOf('held-out', process.cwd())) {
      assert.ok(task.prompt === undefined && task.expected.split('\n').length === 5, task.id);
    }
  });

  it('never ask for the same sentence twice in a row', async () => {
    const prompts = (await tasksOf('sentence', process.cwd())).map(({ prompt }) => prompt);
    assert.ok(prompts.every((prompt, i) => prompt !== prompts[i - 1]));
  });
});
