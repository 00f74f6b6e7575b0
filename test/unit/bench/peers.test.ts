import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openResults, readResults, rowKey, type Row } from '../../../bench/peers/results';
import { summaries } from '../../../bench/peers/summary';
import { appendRow } from '../../../bench/results-file';

const HEADER = { kind: 'peers-run', version: 1, threads: 2, processor: 'one' } as const;

function side(prefillMs: number, stepMs: readonly number[], resident: number) {
  return { prefillMs, stepMs, loadMs: 1000, memory: { resident, peak: 2 * resident } };
}

function row(context: number, round: number, more: Partial<Row> = {}): Row {
  return {
    ...{ model: 'm', peer: 'same', context, round },
    ours: { ...side(1, [10 + round], 500e6 + context), threeRowsMs: 15 },
    theirs: side(4, [20, 30, 100], 1000e6),
    ...more,
  };
}

describe('the peer bench', () => {
  it('compares medians, by model and file, and memory at the longest context', () => {
    const rows = [row(128, 0), row(128, 1), row(128, 2), row(1024, 0)];
    const [same, other] = summaries([...rows, row(128, 0, { peer: 'q4_0.gguf' })]);
    assert.equal(other?.peer, 'q4_0.gguf');
    const line = (what: string) => same?.lines.find((found) => found.what === what);
    assert.deepEqual(line('decoding at 128')?.ours, { median: 11, least: 10 });
    assert.deepEqual(line('decoding at 128')?.theirs, { median: 30, least: 20 });
    assert.equal(line('decoding at 128')?.ratio, 11 / 30);
    assert.equal(line('prefill of 1024')?.ratio, 1 / 4);
    assert.equal(line('resident memory at 1024')?.ours.median, (500e6 + 1024) / 1e6);
    assert.equal(line('3 rows against 1 at 128')?.ratio, 15 / 11);
    assert.equal(line('a step at 1024 against 128')?.ratio, 10 / 11);
    assert.equal(
      other.lines.find(({ what }) => what.startsWith('a step at')),
      undefined,
    );
  });

  it('goes on from what is in its file, and takes no file of other threads or processors', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dynamo-peers-'));
    try {
      const path = join(folder, 'peers.jsonl');
      await openResults(path, HEADER);
      await appendRow(path, row(128, 0));
      const done = await openResults(path, HEADER);
      assert.ok(done.has(rowKey(row(128, 0))));
      assert.ok(!done.has(rowKey(row(128, 1))));
      assert.ok(!done.has(rowKey(row(128, 0, { peer: 'q4_0.gguf' }))));
      assert.deepEqual([...(await readResults(path)).rows.values()], [row(128, 0)]);
      await assert.rejects(openResults(path, { ...HEADER, threads: 1 }), /with 2 threads on one/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
