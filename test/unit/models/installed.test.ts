import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installModel } from '../../../src/models/install';
import type { InstalledModel } from '../../../src/models/installed';
import {
  findInstalled,
  findInstalledLocked,
  listInstalled,
  lockPath,
  removeInstalled,
  verifyInstalled,
} from '../../../src/models/installed';
import { acquireLock } from '../../../src/models/lock';
import { modelDirectory } from '../../../src/models/paths';
import { tinyId, TinyModel } from '../../fixtures/tiny-model';

describe('installed models', function () {
  this.timeout(30_000);
  let tiny: TinyModel;
  let model: InstalledModel;
  beforeEach(async () => {
    tiny = await TinyModel.create();
    model = await installModel(tiny.options({ from: tiny.file }));
  });
  afterEach(() => tiny.dispose());

  const find = () => findInstalled(tiny.options());
  const record = () => join(model.directory, 'installed.json');
  const flip = async (path: string) => {
    const content = await readFile(path);
    const middle = content.length >> 1;
    content.writeUInt8(content.readUInt8(middle) ^ 1, middle);
    await writeFile(path, content);
  };

  it('are found and listed', async () => {
    assert.deepEqual(await find(), model);
    assert.deepEqual(await listInstalled(tiny), [model]);
    await verifyInstalled(model);
  });

  it('are none without a sound record', async () => {
    const sound = JSON.parse(await readFile(record(), 'utf8')) as Record<string, object>;
    const damaged = [
      '',
      '{',
      JSON.stringify({ ...sound, version: 4 }),
      JSON.stringify({ ...sound, id: 'other' }),
      JSON.stringify({ ...sound, precision: 'fp32' }),
      JSON.stringify({ ...sound, weights: { ...sound['weights'], file: '../../x' } }),
      JSON.stringify({ ...sound, source: { bytes: 1, sha256: '0'.repeat(64) } }),
    ];
    for (const content of damaged) {
      await writeFile(record(), content);
      assert.equal(await find(), undefined, content);
      assert.deepEqual(await listInstalled(tiny), []);
    }
    await rm(record());
    assert.equal(await find(), undefined);
    await assert.rejects(verifyInstalled(model), /record of tiny-model .* is missing or damaged/);
  });

  it('are none when a file is missing or has another size', async () => {
    for (const path of [model.weights, model.tokenizer, model.graph]) {
      const content = await readFile(path);
      await writeFile(path, Buffer.concat([content, Buffer.alloc(1)]));
      assert.equal(await find(), undefined);
      await rm(path);
      assert.equal(await find(), undefined);
      await writeFile(path, content);
      assert.ok(await find());
    }
  });

  it('show a flipped byte when verified', async () => {
    for (const path of [model.weights, model.tokenizer, model.graph]) {
      await flip(path);
      assert.ok(await find()); // the cheap check looks at sizes only
      await assert.rejects(verifyInstalled(model), /tiny-model \(int8\) is damaged: .* has changed/);
      await flip(path);
      await verifyInstalled(model);
    }
    await rm(model.weights);
    await assert.rejects(verifyInstalled(model), /weights-int8.bin is missing/);
  });

  it('of older versions are models without heads', async () => {
    const sound = JSON.parse(await readFile(record(), 'utf8')) as Record<string, object>;
    await writeFile(record(), JSON.stringify({ ...sound, version: 1 }));
    assert.deepEqual(await find(), model);
    assert.deepEqual(model.heads, { state: 'none', sets: [] });
    await tiny.writeHeads();
    assert.deepEqual((await find())?.heads, { state: 'outdated', sets: [] });
  });

  it('take over a changed graph while their plan is unchanged', async () => {
    await tiny.writeGraph('a better graph');
    assert.deepEqual(await find(), model);
    assert.equal(await readFile(model.graph, 'utf8'), 'a better graph');
    await verifyInstalled(model);
  });

  it('are found without the lock, and brought up to date with it', async () => {
    const lock = await acquireLock(lockPath(tiny.home, tinyId));
    assert.deepEqual(await find(), model);

    await tiny.writeGraph('a better graph');
    const waiting = find();
    await sleep(50);
    assert.equal(await readFile(model.graph, 'utf8'), 'graph');
    // What the owner of the lock writes meanwhile stays.
    const sound = JSON.parse(await readFile(record(), 'utf8')) as { graph: object };
    const heads = [{ name: 'other', plan: sound.graph, graph: sound.graph, weights: sound.graph }];
    await writeFile(record(), JSON.stringify({ ...sound, heads }));
    await lock.release();
    assert.deepEqual(await waiting, model);
    assert.equal(await readFile(model.graph, 'utf8'), 'a better graph');
    const after = JSON.parse(await readFile(record(), 'utf8')) as { heads: { name: string }[] };
    assert.deepEqual(
      after.heads.map(({ name }) => name),
      ['other'],
    );
  });

  it('are brought up to date by whoever holds the lock already', async () => {
    const lock = await acquireLock(lockPath(tiny.home, tinyId));
    await tiny.writeGraph('a better graph');
    assert.deepEqual(await findInstalledLocked(tiny.options()), model);
    assert.equal(await readFile(model.graph, 'utf8'), 'a better graph');
    await lock.release();
  });

  it('stop waiting for the lock when aborted', async () => {
    const lock = await acquireLock(lockPath(tiny.home, tinyId));
    await tiny.writeGraph('a better graph');
    const signal = AbortSignal.timeout(50);
    await assert.rejects(findInstalled({ ...tiny.options(), signal }), { name: 'TimeoutError' });
    await lock.release();
  });

  it('say what to do where they cannot be brought up to date', async function () {
    // A disk of its own, where the system lets us.
    const mount = spawnSync('mount', ['-t', 'tmpfs', 'none', tiny.home]);
    if (mount.status !== 0) this.skip();
    try {
      model = await installModel(tiny.options({ from: tiny.file }));
      spawnSync('mount', ['-o', 'remount,ro', tiny.home]);
      assert.deepEqual(await find(), model);
      await tiny.writeGraph('a better graph');
      const message = /could not be written \(while bringing Tiny up to date\).*DYNAMO_HOME/;
      await assert.rejects(find(), { name: 'ModelError', message });
    } finally {
      spawnSync('umount', [tiny.home]);
    }
  });

  it('can be removed, damaged or not', async () => {
    const place = { home: tiny.home, id: tinyId, precision: 'int8' } as const;
    await writeFile(record(), 'damaged');
    assert.equal(await removeInstalled(place), true);
    assert.equal(await find(), undefined);
    assert.equal(await removeInstalled(place), false);
    assert.equal(await removeInstalled({ ...place, id: 'unknown' }), false);
  });

  it('are removed inside home/models only', async () => {
    const outside = join(tiny.root, 'outside');
    await mkdir(join(outside, 'int8'), { recursive: true });
    await writeFile(join(outside, 'int8', 'precious'), 'data');
    const place = { home: tiny.home, precision: 'int8' } as const;
    for (const id of ['..', '../..', '../../outside', '.']) {
      await assert.rejects(removeInstalled({ ...place, id }), RangeError);
    }
    await symlink(outside, modelDirectory(tiny.home, 'linked'), 'junction');
    await assert.rejects(removeInstalled({ ...place, id: 'linked' }), /is a link to/);
    await symlink(join(outside, 'int8'), join(modelDirectory(tiny.home, tinyId), 'fp32'), 'junction');
    assert.equal(await removeInstalled({ ...place, id: tinyId, precision: 'fp32' }), true);
    assert.equal(await readFile(join(outside, 'int8', 'precious'), 'utf8'), 'data');
  });
});
