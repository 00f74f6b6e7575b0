import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentOf } from '../../../bench/environment';
import { clusterOf } from '../../../bench/steps/clusters';
import { checkPlaces, expectedOf, standingAt, toldOf } from '../../../bench/steps/places';
import {
  keyOf,
  openResults,
  parseResults,
  type ResultRow,
  type RunHeader,
} from '../../../bench/steps/results';
import { KINDS, tasksOf, type StepTask } from '../../../bench/steps/tasks';

const OLD: RunHeader = {
  ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
  ...{ modes: ['ar', 'exact'], maxTokens: 64, threads: 2 },
};
const NEW: RunHeader = {
  ...OLD,
  headsSha256: 'a'.repeat(64),
  trunkSha256: 'b'.repeat(64),
  cacheMegabytes: 0,
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

  it('goes on when only the commit changed', async () => {
    const { environment } = NEW;
    assert.ok(environment);
    await resume(NEW, { ...NEW, environment: { ...environment, commit: 'other' } });
  });

  it('does not go on with a file that tells less: its modes found what others had read', async () => {
    assert.equal(parseResults(`${JSON.stringify(OLD)}\n`, 'old').header.model, 'm');
    await assert.rejects(resume(OLD, NEW), /was made with \w+ none, not /);
  });

  it('does not mix heads, trunks, machines, modes or threads', async () => {
    const { environment } = NEW;
    assert.ok(environment);
    for (const [name, other] of Object.entries({
      headsSha256: { headsSha256: 'b'.repeat(64) },
      trunkSha256: { trunkSha256: 'c'.repeat(64) },
      cacheMegabytes: { cacheMegabytes: 256 },
      machine: { environment: { ...environment, processor: 'another' } },
      modes: { modes: ['ar'] },
      threads: { threads: 1 },
    })) {
      const message = new RegExp(`was made with ${name} `);
      await assert.rejects(resume(NEW, { ...NEW, ...other }), message);
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

  it('are a fair sample from the first ones on: held-out places of all files', async () => {
    const tasks = await tasksOf('held-out', process.cwd());
    assert.equal(new Set(tasks.map(clusterOf)).size, 6);
    assert.equal(new Set(tasks.slice(0, 40).map(clusterOf)).size, 6);
  });

  it('of our own are one of a file, and enough to show something', async () => {
    const tasks = await tasksOf('own', process.cwd());
    assert.ok(tasks.length >= 160, `${tasks.length}`);
    assert.equal(new Set(tasks.map(clusterOf)).size, tasks.length);
  });
});

describe('what stands at a place', () => {
  const place = (expected: string, kind: 'own' | 'held-out' = 'held-out'): StepTask => ({
    ...{ id: 'a.ts:7', kind, prefix: '', suffix: '', language: 'typescript' },
    ...{ multiline: true, expected },
  });
  const rowOf = (task: StepTask): ResultRow => ({
    ...{ id: task.id, kind: task.kind, modes: {}, ...toldOf(task) },
  });
  const check = (row: ResultRow, ...now: StepTask[]) =>
    checkPlaces('own.jsonl', [row], expectedOf(now));

  it('may be compared with while it is there', () => {
    check(rowOf(place('x = 1')), place('x = 1'));
    assert.equal(expectedOf([place('x = 1')]).get(keyOf(place('x = 1'))), 'x = 1');
  });

  it('is refused when it has changed or is gone', () => {
    const says = /own\.jsonl: what stands at a place \(a\.ts:7\) has changed .* measure again/;
    assert.throws(() => check(rowOf(place('x = 1')), place('x = 2')), says);
    assert.throws(() => check(rowOf(place('x = 1'))), says);
  });

  it('is held by rows of our own code, whatever stands there now', () => {
    const row = rowOf(place('x = 1', 'own'));
    check(row, place('x = 2', 'own'));
    check(row);
    assert.equal(standingAt(row, expectedOf([place('x = 2', 'own')])), 'x = 1');
    const says = /has changed/;
    assert.throws(() => check({ ...row, expected: 'x = 3' }), says, 'not what its hash says');
  });

  it('is not known of older rows', () => {
    check({ id: 'a.ts:7', kind: 'own', modes: {} }, place('x = 2'));
  });
});
