import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadEvidence, loadRun, RAW_FOLDERS } from '../../../../bench/eval/load';
import { isCurrent, shippedModels } from '../../../../bench/eval/shipped';
import { toldOf } from '../../../../bench/steps/places';
import { tasksOf } from '../../../../bench/steps/tasks';
import { HEADER, SHIPPED, VERSION } from './evidence';

const ROOT = process.cwd();

describe('what the report is made of', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'dynamo-load-'))));
  afterEach(() => rm(folder, { recursive: true }));

  const write = async (name: string, ...lines: object[]): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  };

  it('holds no run whose places have changed since, and says so', async () => {
    const [task] = await tasksOf('held-out', ROOT);
    assert.ok(task);
    const plain = {
      ...{ text: 'x', tokens: 2, stopReason: 'end', steps: [1, 1], drafts: [] },
      ...{ prefillMs: 1, decodeMs: 1 },
    };
    const row = { id: task.id, kind: 'held-out', modes: { ar: plain } };
    const header = { ...HEADER, modes: ['ar'] };
    const same = await write('a.jsonl', header, { ...row, ...toldOf(task) });
    const changed = await write('b.jsonl', header, { ...row, expectedSha256: '0123456789abcdef' });
    const { runs, refused } = await loadEvidence(ROOT, [folder]);
    assert.deepEqual(
      runs.map(({ file, tasks }) => [file.endsWith('a.jsonl'), tasks]),
      [[true, 1]],
    );
    assert.equal(refused.length, 1);
    assert.match(refused[0] ?? '', /b\.jsonl: what stands at a place .* has changed/);
    assert.equal((await loadRun(same, ROOT)).tasks, 1);
    await assert.rejects(loadRun(changed, ROOT), /has changed since it was measured/);
  });

  it('tells of bench/peers what was loaded, where its rows do', async () => {
    const environment = {
      ...{ processor: 'p', cores: 2, memoryGigabytes: 8, system: 's', node: '20' },
      ...{ onnxruntime: '1', version: '0', commit: null },
    };
    const peers = { kind: 'peers-run', version: 1, threads: 2, processor: 'p', environment };
    const side = { prefillMs: 1, stepMs: [1, 1], loadMs: 1, memory: { resident: 1, peak: 1 } };
    const row = { model: 'm', peer: 'same', context: 1, round: 0, ours: side, theirs: side };
    await write('a.jsonl', peers, { ...row, loaded: { model: VERSION, peerSha256: 'peer' } });
    await write('b.jsonl', peers, row);
    const found = await loadEvidence(ROOT, [folder]);
    assert.deepEqual(
      found.peers.map(({ weights }) => isCurrent(SHIPPED, 'm', weights['m'])),
      [true, false],
    );
  });

  it('can be read of every raw file that is there, those that tell less included', async function () {
    this.timeout(600_000);
    const { runs, peers, infilling, refused } = await loadEvidence(ROOT, RAW_FOLDERS);
    assert.ok(runs.length > 0 && peers.length > 0 && infilling.length > 0);
    assert.deepEqual(refused, []);
  });
});

describe('the weights that are shipped', () => {
  it('are those of the suite, by the hashes that its files have', async () => {
    const shipped = await shippedModels(ROOT);
    for (const { id, heads, trained, trunks } of shipped) {
      const trunk = trunks['int8'];
      assert.ok(trunk, id);
      assert.match(trunk, /^[0-9a-f]{64}$/);
      assert.equal(heads === 'none', Object.keys(trained).length === 0);
      const own = { precision: 'int8', heads, headsSha256: trained[heads] };
      assert.equal(isCurrent(shipped, id, { ...own, trunkSha256: trunk }), true);
    }
  });

  for (const [what, weights] of [
    ['of another trunk', { trunkSha256: 'old', headsSha256: 'trained' }],
    ['of other heads', { trunkSha256: 'trunk', headsSha256: 'old' }],
    ['of heads that are not told', { trunkSha256: 'trunk' }],
    ['of a trunk that is not told', { headsSha256: 'trained' }],
    ['of another precision', { trunkSha256: 'trunk', headsSha256: 'trained', precision: 'fp32' }],
    ['of heads that there are none of', { trunkSha256: 'trunk', heads: 'chained' }],
  ] as const) {
    it(`are not those ${what}`, () =>
      assert.equal(
        isCurrent(SHIPPED, 'm', { precision: 'int8', heads: 'shared', ...weights }),
        false,
      ));
  }

  it('are those of a trunk without heads', () => {
    const alone = { precision: 'int8', heads: 'none', trunkSha256: 'trunk' };
    assert.deepEqual(
      [isCurrent(SHIPPED, 'm', alone), isCurrent(SHIPPED, 'x', alone)],
      [true, false],
    );
  });
});
