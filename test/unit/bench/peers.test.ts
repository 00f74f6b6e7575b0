import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isRound,
  openResults,
  readResults,
  rowKey,
  type Header,
} from '../../../bench/peers/results';
import { summaries } from '../../../bench/peers/summary';
import { appendRow } from '../../../bench/results-file';
import { environment, HEADER, inFolder, loadRow, row, side } from './peers-rows';

describe('the figures of single steps', () => {
  const lineOf = (rows: Parameters<typeof summaries>[0], what: string) =>
    summaries(rows)[0]?.lines.find((found) => found.what === what);

  it('are medians over all single steps of both sides, by model and file', () => {
    const rows = [row(128, 0), row(128, 1), row(1024, 0)];
    const [same, other] = summaries([...rows, row(128, 0, { peer: 'q4_0.gguf' })]);
    assert.equal(other?.peer, 'q4_0.gguf');
    const line = (what: string) => same?.lines.find((found) => found.what === what);
    assert.deepEqual(line('decoding at 128')?.ours, { median: 12, least: 10 });
    assert.deepEqual(line('decoding at 128')?.theirs, { median: 30, least: 20 });
    assert.equal(line('decoding at 128')?.ratio, 12 / 30);
    assert.equal(line('prefill of 1024')?.ratio, 1 / 4);
    assert.equal(line('resident memory at 1024')?.ours.median, (500e6 + 1024) / 1e6);
    assert.equal(line('3 rows against 1 at 128')?.ratio, 16 / 12);
    assert.equal(line('a step at 1024 against 128')?.ratio, 1);
    assert.equal(
      other.lines.find(({ what }) => what.startsWith('a step at')),
      undefined,
    );
  });

  it('are medians of rounds on both sides where a file has no others of ours', () => {
    const old = [11, 12, 13].map((ms, round) =>
      row(128, round, {
        ours: { ...side(1, [ms], 1e9), threeRowsMs: 15 },
        theirs: side(4, [20, 30 + round, 100], 1e9),
      }),
    );
    const { ours, theirs } = lineOf(old, 'decoding at 128') ?? {};
    assert.deepEqual(
      [ours, theirs],
      [
        { median: 12, least: 11 },
        { median: 31, least: 30 },
      ],
    );
    assert.equal(lineOf(old, '3 rows against 1 at 128')?.ratio, 15 / 12);
  });

  it('count the loading of each process once', () => {
    const rows = [row(128, 0), row(128, 1), loadRow(0, 900, 700), loadRow(1, 800, 500)];
    assert.deepEqual(lineOf(rows, 'loading')?.ours, { median: 850, least: 800 });
    assert.equal(lineOf(rows, 'loading')?.ratio, 850 / 600);
    assert.equal(lineOf([row(128, 0)], 'loading'), undefined);
  });

  it('count it once in older files, too, whose rows all repeat it', () => {
    const loadMs = (ours: number, theirs: number, round: number) => {
      const made = row(128, round);
      return {
        ...made,
        ours: { ...made.ours, loadMs: ours },
        theirs: { ...made.theirs, loadMs: theirs },
      };
    };
    const rows = [0, 1, 2].map((round) => loadMs(1000, 500, round));
    const { ours, theirs } = lineOf([...rows, loadMs(2000, 700, 3)], 'loading') ?? {};
    assert.deepEqual([ours?.median, theirs?.median], [1500, 600]);
  });
});

describe('the file of single steps', () => {
  const opened = (found: object, wanted: Header) =>
    inFolder(async (folder) => {
      const path = join(folder, 'peers.jsonl');
      await writeFile(path, `${JSON.stringify(found)}\n`);
      await openResults(path, wanted);
    });

  it('is gone on with from what is there', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'peers.jsonl');
      await openResults(path, HEADER);
      await appendRow(path, row(128, 0));
      await appendRow(path, loadRow(0, 900, 700));
      const done = await openResults(path, {
        ...HEADER,
        environment: { ...environment, commit: 'later', load: 1 },
      });
      assert.ok(done.has(rowKey(row(128, 0))));
      assert.ok(done.has(rowKey(loadRow(0, 1, 1))));
      assert.ok(!done.has(rowKey(row(128, 1))));
      assert.ok(!done.has(rowKey(loadRow(1, 1, 1))));
      assert.ok(!done.has(rowKey(row(128, 0, { peer: 'q4_0.gguf' }))));
      const { rows } = await readResults(path);
      assert.deepEqual([...rows.values()], [row(128, 0), loadRow(0, 900, 700)]);
      assert.deepEqual([...rows.values()].map(isRound), [true, false]);
    }));

  for (const [what, other] of [
    ['threads', { ...HEADER, threads: 1 }],
    ['processors', { ...HEADER, environment: { ...environment, processor: 'two' } }],
    [
      'vector extensions',
      { ...HEADER, environment: { ...environment, vectorExtensions: ['avx2', 'avx512_vnni'] } },
    ],
    ['versions of the runtime', { ...HEADER, environment: { ...environment, onnxruntime: '2' } }],
    ['versions of the peer', { ...HEADER, peer: '4.0.0' }],
    ['age, that does not tell its environment', { ...HEADER, environment: undefined }],
  ] as const) {
    it(`is not gone on with when it is of other ${what}`, () =>
      assert.rejects(opened(other, HEADER), /choose another --out/));
  }

  it('is read as it lies in results/', async () => {
    const folder = join(process.cwd(), 'bench/peers/results');
    for (const name of await readdir(folder)) {
      const { rows } = await readResults(join(folder, name));
      assert.ok(summaries([...rows.values()]).length > 0, name);
    }
  });

  it('is read whatever its age', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'old.jsonl');
      const { ours, theirs, ...place } = row(128, 0);
      const old = {
        ...{ ...place, loaded: undefined },
        ours: { ...ours, loadMs: 1374, stepMs: [11], threeRowsMs: 15 },
        theirs: { ...theirs, loadMs: 1463 },
      };
      const header = { kind: 'peers-run', version: 1, threads: 2, processor: 'one' };
      await writeFile(path, `${JSON.stringify(header)}\n${JSON.stringify(old)}\n`);
      assert.equal((await readResults(path)).rows.size, 1);
    }));
});
