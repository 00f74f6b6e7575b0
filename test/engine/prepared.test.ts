/** Graphs prepared for this processor give the numbers of those they were made of. */
import assert from 'node:assert/strict';
import { link, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { thisMachine } from '../../src/engine/machine';
import { prepareGraph, wantsPreparing } from '../../src/engine/runtime';
import { productsSaturate } from '../../src/engine/saturation';
import { TrunkSession } from '../../src/engine/session';
import { findPrepared } from '../../src/models/prepared';
import { installed, never } from './installed';

const TOKENS = Array.from({ length: 140 }, (_, i) => (i * 7919 + 13) % 40_000);

describe('a graph prepared for this processor', function () {
  this.timeout(120_000);
  let directory: string;
  let graph: string;

  before(async () => {
    // Beside the home, so that files can be linked.
    const model = await installed('smollm2-135m', 'int8');
    directory = await mkdtemp(join(dirname(model.directory), '.prepared-'));
    graph = join(directory, 'graph.onnx');
    await link(model.graph, graph);
    await link(model.weights, join(directory, 'weights-int8.bin'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** A prefill's last prediction and those of a step. */
  async function predictions() {
    const session = await TrunkSession.open({ graph }, { threads: 2, contextLength: 256 });
    try {
      const { last } = await session.prefill(TOKENS.slice(0, 131), never);
      return [last, ...(await session.step(TOKENS.slice(131, 134), never))];
    } finally {
      await session.close();
    }
  }

  it('says the same bit for bit, and gives way when it is damaged', async () => {
    const expected = await predictions();
    assert.equal(await wantsPreparing(graph), await productsSaturate());
    assert.equal(await prepareGraph(graph, 2), true);
    assert.equal(await wantsPreparing(graph), false);
    if (!(await productsSaturate())) {
      // There is nothing to gain, and nothing is written.
      await assert.rejects(readdir(join(directory, 'prepared')), { code: 'ENOENT' });
      return;
    }
    assert.deepEqual(await predictions(), expected);

    const prepared = await findPrepared(graph, await thisMachine());
    assert.ok(prepared !== undefined);
    const { size } = await stat(prepared);
    await writeFile(prepared, new Uint8Array(size).fill(7));
    assert.deepEqual(await predictions(), expected);
    assert.equal(await wantsPreparing(graph), true);
  });
});
