import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { thisMachine } from '../../../src/engine/machine';
import { openSession, prepareGraph } from '../../../src/engine/runtime';
import { productsSaturate } from '../../../src/engine/saturation';
import { findPrepared, keepPrepared } from '../../../src/models/prepared';

describe('a prepared graph', () => {
  const { create } = InferenceSession;
  const session = {
    run: () => Promise.resolve({ products: { data: [0] } }),
    release: () => Promise.resolve(),
  };
  let directory: string;
  let graph: string;
  let opened: string[];
  /** Happens when what was prepared is opened. */
  let onPrepared: () => Promise<void>;

  before(async function () {
    // Stands in for ONNX Runtime on a processor whose products saturate.
    const open = async (path: unknown) => {
      if (typeof path === 'string') opened.push(path);
      if (typeof path === 'string' && path !== graph) await onPrepared();
      return session;
    };
    InferenceSession.create = open as never;
    if (!(await productsSaturate())) this.skip();
  });
  after(() => (InferenceSession.create = create));

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dynamo-runtime-'));
    graph = join(directory, 'graph.onnx');
    opened = [];
    onPrepared = () => Promise.resolve();
    await writeFile(graph, 'the graph');
    await writeFile(join(directory, 'weights-int8.bin'), 'weights');
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function prepare(): Promise<string> {
    const write = async (files: { folder: string; graph: string; weights: string }) => {
      await writeFile(join(files.folder, files.graph), 'a graph');
      await writeFile(join(files.folder, files.weights), 'its weights');
    };
    const room = () => Promise.resolve(2 ** 40);
    assert.equal(await keepPrepared(graph, await thisMachine(), write, { room }), 'done');
    return (await found()) ?? '';
  }
  const found = async () => findPrepared(graph, await thisMachine());
  const open = () => openSession(graph, { threads: 1 });

  it('is what is opened', async () => {
    const prepared = await prepare();
    await open();
    assert.deepEqual(opened, [prepared]);
  });

  it('gives way to the plain one, and is removed, where it does not load', async () => {
    const prepared = await prepare();
    onPrepared = () => Promise.reject(new Error('Protobuf parsing failed.'));
    await open();
    assert.deepEqual(opened, [prepared, graph]);
    assert.equal(await found(), undefined);
  });

  it('stays where only the memory was missing', async () => {
    const prepared = await prepare();
    onPrepared = () => Promise.reject(new Error('std::bad_alloc'));
    await open();
    assert.deepEqual(opened, [prepared, graph]);
    assert.equal(await found(), prepared);
  });

  it('gives way where it cannot be removed, too', async () => {
    const prepared = await prepare();
    onPrepared = async () => {
      await rm(graph); // Without it nobody knows where what was made of it lies.
      throw new Error('Protobuf parsing failed.');
    };
    await open();
    assert.deepEqual(opened, [prepared, graph]);
  });

  it('is not said to be done while another process makes one', async () => {
    await prepare();
    await writeFile(graph, 'a newer graph');
    const lock = join(directory, 'prepared', '.lock');
    const owner = { pid: process.pid, host: hostname(), token: 'somebody' };
    const write = () => writeFile(lock, JSON.stringify(owner));
    await write();
    const touching = setInterval(() => void write(), 50);
    try {
      await assert.rejects(prepareGraph(graph, 1), /Another process is preparing/);
    } finally {
      clearInterval(touching);
    }
  });
});
