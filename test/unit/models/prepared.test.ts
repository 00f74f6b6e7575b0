import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  const keep = (of = graph, on = machine) => keepPrepared(of, on, make, plenty);
  const names = async () => (await readdir(join(directory, 'prepared'))).sort();

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
    assert.equal(await keep(), true);
    const found = await findPrepared(graph, machine);
    assert.ok(found !== undefined);
    assert.equal(await readFile(found, 'utf8'), 'a graph');
    assert.equal(await keep(), true);
    assert.equal(made, 1);
    assert.deepEqual(await verifyPrepared(directory), []);
  });

  it('are made by one of two at the same time, and the other does not wait', async () => {
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => (begun = resolve));
    const first = keepPrepared(
      graph,
      machine,
      async (files) => {
        begun();
        await opened;
        await make(files);
      },
      plenty,
    );
    await started;
    assert.equal(await keep(), true);
    assert.equal(made, 0);
    open();
    assert.equal(await first, true);
    assert.equal(made, 1);
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

  it('leave nothing behind when they cannot be made', async () => {
    const broken = keepPrepared(
      graph,
      machine,
      async ({ folder }) => {
        await writeFile(join(folder, 'graph.onnx'), 'half');
        throw new Error('The runtime failed.');
      },
      plenty,
    );
    await assert.rejects(broken, /The runtime failed/);
    assert.deepEqual(await names(), []);
    assert.equal(await findPrepared(graph, machine), undefined);
  });

  it('are not made where the disk has no room', async () => {
    const none = () => Promise.resolve(2 ** 31);
    assert.equal(await keepPrepared(graph, machine, make, none), false);
    assert.equal(made, 0);
  });
});
