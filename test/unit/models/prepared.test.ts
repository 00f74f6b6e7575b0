import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  findPrepared,
  keepPrepared,
  removePrepared,
  verifyPrepared,
  type Machine,
  type PreparedFiles,
} from '../../../src/models/prepared';

const machine: Machine = { runtime: '1.0.0', processor: 'linux; x64; one' };

describe('prepared graphs', () => {
  let directory: string;
  let graph: string;
  let made: number;

  const make = async ({ folder, graph: name, weights }: PreparedFiles) => {
    made++;
    await writeFile(join(folder, name), 'a graph');
    await writeFile(join(folder, weights), 'its weights');
  };
  const plenty = () => Promise.resolve(2 ** 40);
  const quick = { room: plenty, pollMs: 5 };
  const keep = (of = graph, on = machine) => keepPrepared(of, on, make, quick);
  const names = async () => (await readdir(join(directory, 'prepared'))).sort();
  const lockPath = () => join(directory, 'prepared', '.lock');

  /** A preparation that has begun, and ends when it is told to. */
  async function begin() {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => (begun = resolve));
    const slowly = async (files: PreparedFiles) => {
      begun();
      await ended;
      await make(files);
    };
    const done = keepPrepared(graph, machine, slowly, quick);
    await started;
    return { done, end };
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dynamo-prepared-'));
    graph = join(directory, 'graph.onnx');
    made = 0;
    await writeFile(graph, 'the graph');
    await writeFile(join(directory, 'weights-int8.bin'), 'weights');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('are found when they were made, and made once', async () => {
    assert.equal(await findPrepared(graph, machine), undefined);
    assert.equal(await keep(), 'done');
    const found = await findPrepared(graph, machine);
    assert.ok(found !== undefined);
    assert.equal(await readFile(found, 'utf8'), 'a graph');
    assert.equal(await keep(), 'done');
    assert.equal(made, 1);
    assert.deepEqual(await verifyPrepared(directory), []);
  });

  it('are made by one of two at the same time, and the other does not wait', async () => {
    const first = await begin();
    const touching = setInterval(() => void utimes(lockPath(), new Date(), new Date()), 10);
    assert.equal(await keep(), 'busy');
    clearInterval(touching);
    assert.equal(made, 0);
    first.end();
    assert.equal(await first.done, 'done');
    assert.equal(made, 1);
  });

  it('are made where a lock was left behind, though another process has its owner’s number', async () => {
    await mkdir(join(directory, 'prepared'));
    const owner = { pid: process.pid, host: hostname(), token: 'somebody' };
    await writeFile(lockPath(), JSON.stringify(owner));
    const outcome = await keepPrepared(graph, machine, make, { ...quick, staleMs: 30 });
    assert.equal(outcome, 'done');
    assert.ok(await findPrepared(graph, machine));
  });

  it('are others for another processor, runtime, graph or weights, and take the old ones’ place', async () => {
    await keep();
    const [before] = await names();
    const others: Machine[] = [
      { ...machine, runtime: '1.0.1' },
      { ...machine, processor: 'linux; x64; two' },
    ];
    for (const other of others) assert.equal(await findPrepared(graph, other), undefined);

    const weights = join(directory, 'weights-int8.bin');
    await utimes(weights, 1, 1);
    assert.equal(await findPrepared(graph, machine), undefined);
    await writeFile(graph, 'a newer graph');
    await keep();
    const after = await names();
    assert.equal(after.length, 1);
    assert.notEqual(after[0], before);
  });

  it('of several graphs stand side by side', async () => {
    const heads = join(directory, 'graph-heads.onnx');
    await writeFile(heads, 'heads');
    await keep();
    await keep(heads);
    await keep(graph, { ...machine, runtime: '2.0.0' });
    assert.ok(await findPrepared(heads, machine));
    assert.equal((await names()).length, 2);
  });

  it('count as not there when they are damaged, and are made again', async () => {
    await keep();
    const found = await findPrepared(graph, machine);
    const folder = dirname(found ?? '');
    await writeFile(join(folder, 'weights.bin'), 'shorter');
    assert.equal(await findPrepared(graph, machine), undefined);
    await keep();
    assert.equal(made, 2);

    await writeFile(join(folder, 'prepared.json'), '{"version": 1}');
    assert.equal(await findPrepared(graph, machine), undefined);
    await keep();
    await removePrepared(graph, machine);
    assert.equal(await findPrepared(graph, machine), undefined);
  });

  it('are removed by a check that finds them changed, and so is what a killed process left', async () => {
    await keep();
    const found = await findPrepared(graph, machine);
    await writeFile(join(dirname(found ?? ''), 'weights.bin'), 'ITS WEIGHTS');
    await mkdir(join(directory, 'prepared', 'graph-0a1b.partial'));
    assert.equal((await verifyPrepared(directory)).length, 2);
    assert.deepEqual(await names(), []);
  });

  it('are left alone by a check while they are being made', async () => {
    const first = await begin();
    const checked = verifyPrepared(directory);
    await sleep(50);
    first.end();
    assert.equal(await first.done, 'done');
    assert.deepEqual(await checked, []);
    assert.ok(await findPrepared(graph, machine));
  });

  it('leave nothing behind when they cannot be made', async () => {
    const broken = keepPrepared(
      graph,
      machine,
      async ({ folder }) => {
        await writeFile(join(folder, 'graph.onnx'), 'half');
        throw new Error('The runtime failed.');
      },
      quick,
    );
    await assert.rejects(broken, /The runtime failed/);
    assert.deepEqual(await names(), []);
    assert.equal(await findPrepared(graph, machine), undefined);
  });

  it('are not made where the disk has no room', async () => {
    const room = () => Promise.resolve(2 ** 31);
    assert.equal(await keepPrepared(graph, machine, make, { room }), 'noRoom');
    assert.equal(made, 0);
  });
});
