import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measuredModel } from '../../../bench/measured-model';
import type { InstallOptions, InstallProgress } from '../../../src/models/install';
import { installModel, installPrecisions } from '../../../src/models/install';
import type { InstalledModel } from '../../../src/models/installed';
import { modelFiles } from '../../../src/engine/client';
import { filesWithDefaults, selectModel, type ModelWish } from '../../../src/engine/select-model';
import { findInstalled, verifyInstalled } from '../../../src/models/installed';
import type { ThresholdCurve } from '../../../src/models/threshold-curve';
import { tinyHeadsPlan, tinyId, TinyModel, tinyPlan } from '../../fixtures/tiny-model';

describe('installed heads', function () {
  this.timeout(30_000);
  let tiny: TinyModel;
  beforeEach(async () => {
    tiny = await TinyModel.create();
    await tiny.writeHeads();
  });
  afterEach(() => tiny.dispose());

  const install = (more: Partial<InstallOptions> = {}) => installModel(tiny.options(more));
  const find = async () => {
    const model = await findInstalled(tiny.options());
    assert.ok(model);
    return model;
  };
  const ready = ({ heads }: InstalledModel) => {
    assert.equal(heads.state, 'ready');
    const [first] = heads.sets;
    assert.ok(first);
    return first;
  };
  const files = async ({ directory }: InstalledModel) => (await readdir(directory)).sort();
  const whole = [
    'graph.onnx',
    'heads-shared-weights-int8.bin',
    'heads-shared.onnx',
    'installed.json',
    'tokenizer.json',
    'weights-int8.bin',
  ];

  it('come with the model', async () => {
    const model = await install();
    assert.deepEqual(await find(), model);
    assert.deepEqual(await files(model), whole);
    const { graph, description } = ready(model);
    assert.equal(await readFile(graph, 'utf8'), 'heads graph');
    assert.equal(description.kind, 'shared');
    await verifyInstalled(model);
  });

  it('are the trained integers, turned, and rows of the trunk’s embedding', async () => {
    const model = await install();
    const trained = await readFile(join(tiny.suite, 'tiny-model', 'heads-shared.safetensors'));
    const trunk = await readFile(model.weights);
    const own = await readFile(ready(model).weights);
    assert.equal(own.length, tinyHeadsPlan.bytes);
    assert.deepEqual([0, 4, 8].map((at) => own.readInt32LE(at)), [2, 0, 3]);
    const data = trained.length - (12 + 16 + 8); // shortlist, matrix and scales, in this order
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 8; column++) {
        assert.equal(own.readInt8(64 + 2 * column + row), trained.readInt8(data + 12 + 8 * row + column));
      }
    }
    [2, 0, 3].forEach((row, i) => {
      const from = 256 + 8 * row;
      assert.deepEqual(own.subarray(192 + 8 * i, 200 + 8 * i), trunk.subarray(from, from + 8));
      const scale = trunk.readFloatLE(320 + 4 * row);
      assert.ok(Math.abs(own.readFloatLE(256 + 4 * i) / scale - 1) < 1e-6);
    });
  });

  it('are renewed without the source file when the suite has others', async () => {
    const before = await install();
    const old = await readFile(ready(before).weights);
    await tiny.writeHeads(2);
    assert.deepEqual((await find()).heads, { state: 'outdated', sets: [] });
    tiny.answer = () => assert.fail('nothing is to be downloaded');
    const after = await install();
    assert.equal(tiny.requests.length, 1);
    assert.deepEqual(await find(), after);
    assert.deepEqual(await files(after), whole);
    assert.notDeepEqual(await readFile(ready(after).weights), old);
    await verifyInstalled(after);
    const onProgress = () => assert.fail('there was something to do');
    await install({ onProgress });
  });

  describe('of a newer suite, when the model is chosen to be loaded,', () => {
    const choose = async (more: Partial<ModelWish> = {}) => {
      const { suite, home, id } = tiny.options();
      const choice = await selectModel({
        ...{ suite, home, id, provider: 'cpu', options: {} },
        ...{ process: { worker: 'nowhere' }, ...more },
      });
      assert.ok(choice);
      return choice.model;
    };
    beforeEach(async () => {
      await install();
      await tiny.writeHeads(2);
      tiny.answer = () => assert.fail('nothing is to be downloaded');
    });

    it('are made at once', async () => {
      const { heads } = await choose();
      assert.equal(heads?.graph, ready(await find()).graph);
      await verifyInstalled(await find());
    });

    it('are made at once where they are to be measured', async () => {
      const { files, version } = await measuredModel(tiny.options());
      const { name, graph, description } = ready(await find());
      assert.equal(files.heads?.graph, graph);
      assert.deepEqual([version.heads, version.headsSha256], [name, description.sha256]);
    });

    it('are left alone where none are wanted', async () => {
      assert.equal((await choose({ heads: 'none' })).heads, undefined);
      assert.equal((await find()).heads.state, 'outdated');
    });

    it('are done without where they cannot be made, and that is said', async () => {
      const path = join(tiny.suite, tinyId, 'heads-shared.safetensors');
      await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(1)]));
      const said: string[] = [];
      const { heads } = await choose({ onOutdated: (reason) => said.push(reason) });
      assert.equal(heads, undefined);
      assert.match(said.join('|'), /^[^|]*heads-shared\.safetensors is not what[^|]*$/);
    });
  });

  it('are added to a model that was installed without them', async () => {
    await tiny.writeCatalog();
    const plain = await install();
    assert.deepEqual(plain.heads, { state: 'none', sets: [] });
    await tiny.writeHeads();
    assert.equal((await find()).heads.state, 'outdated');
    const model = await install();
    ready(model);
    await verifyInstalled(model);
  });

  it('are added to one precision from a download for another, which goes again', async () => {
    const { suite, precision, ...place } = tiny.options();
    const folder = join(suite, tinyId);
    const half = { precision: 'fp16' } as const;
    const plan = { ...tinyPlan, ...half, weights: 'weights-fp16.bin' };
    await writeFile(join(folder, 'plan-fp16.json'), JSON.stringify(plan));
    await writeFile(join(folder, 'trunk-fp16.onnx'), 'fp16 graph');
    await tiny.writeCatalog();
    await install(half);
    const heads = await readFile(join(folder, 'heads-shared-plan-int8.json'), 'utf8');
    const renamed = heads.replaceAll('int8.bin', 'fp16.bin').replace('"int8"', '"fp16"');
    await writeFile(join(folder, 'heads-shared-plan-fp16.json'), renamed);
    await writeFile(join(folder, 'heads-shared-fp16.onnx'), 'fp16 heads graph');
    await tiny.writeHeads();

    await installPrecisions({ suite, ...place }, [precision, 'fp16']);
    for (const each of [precision, 'fp16'] as const) {
      ready((await findInstalled(tiny.options({ precision: each }))) ?? assert.fail());
    }
    assert.deepEqual(await readdir(join(tiny.home, 'downloads')), []);
  });

  it('are out of date when a file of theirs is missing or has another size', async () => {
    const model = await install();
    for (const path of [ready(model).graph, ready(model).weights]) {
      await writeFile(path, 'short');
      assert.equal((await find()).heads.state, 'outdated');
      await rm(path);
      assert.equal((await find()).heads.state, 'outdated');
      ready(await install());
    }
    await writeFile(ready(model).weights, Buffer.alloc(tinyHeadsPlan.bytes));
    ready(await find());
    await assert.rejects(verifyInstalled(model), /heads-shared-weights-int8.bin has changed/);
  });

  it('may be several, of which missing ones leave the others usable', async () => {
    const model = await install();
    await tiny.writeHeadsFiles('independent', 3);
    await tiny.writeCatalog({}, { default: 'independent', others: ['shared'] });
    const between = await find();
    assert.equal(between.heads.state, 'outdated');
    assert.deepEqual(between.heads.sets, model.heads.sets);
    const old = await readFile(ready(model).weights);

    const whole = await install();
    assert.equal(whole.heads.state, 'ready');
    assert.deepEqual(
      whole.heads.sets.map(({ name }) => name),
      ['independent', 'shared'],
    );
    assert.deepEqual(await find(), whole);
    assert.deepEqual(await readFile(ready(model).weights), old);
    await verifyInstalled(whole);
    assert.deepEqual(modelFiles(whole).heads?.name, 'independent');
    assert.deepEqual(modelFiles(whole, 'shared').heads?.name, 'shared');
    assert.equal(modelFiles(whole, 'none').heads, undefined);
    assert.throws(() => modelFiles(whole, 'other'), /it has: independent, shared, none/);
    assert.throws(() => modelFiles(between, 'independent'), /run "models install tiny-model"/);
    assert.equal(modelFiles(between).heads, undefined);
  });

  it('bring their own defaults where the suite was calibrated with them, newer ones none', async () => {
    const model = await install();
    const { suite } = tiny.options();
    const defaults = async (name?: string) =>
      (await filesWithDefaults(suite, model, name)).defaults;
    assert.deepEqual(await defaults(), {});
    const { sha256 } = ready(model).description;
    const write = (headsSha256: string) => {
      const calibrated = { epsilon: 0.75, rows: 3, tasks: 60, kinds: ['own'], results: 'own.jsonl' };
      const curve: ThresholdCurve = {
        ...{ kind: 'threshold-curve', version: 2, model: model.id, heads: 'shared', headsSha256 },
        ...{ precision: 'int8', tasks: 60, kinds: ['line'], threads: 2, results: 'line.jsonl' },
        curve: [{ epsilon: 1, tokensPerStep: 1, speedup: 1, agreement: 1 }],
        calibrated,
      };
      return writeFile(join(suite, model.id, 'thresholds.json'), JSON.stringify(curve));
    };
    await write(sha256);
    assert.deepEqual(await defaults(), { epsilon: 0.75, rows: 3 });
    assert.equal(await defaults('none'), undefined);
    await write('0'.repeat(64));
    assert.deepEqual(await defaults(), {});
  });

  it('of older versions and other names are cleared away', async () => {
    const model = await install();
    await writeFile(join(model.directory, 'heads.onnx'), 'old');
    await writeFile(join(model.directory, 'heads-weights-int8.bin'), 'old');
    await tiny.writeHeads(2);
    assert.deepEqual(await files(await install()), whole);
  });

  it('take over a changed graph while their plan is unchanged', async () => {
    const model = await install();
    await tiny.writeHeadsGraph('a better graph');
    assert.deepEqual(await find(), model);
    assert.equal(await readFile(ready(model).graph, 'utf8'), 'a better graph');
    await verifyInstalled(model);
  });

  for (const phase of ['convert', 'finish'] as const) {
    it(`interrupted in the phase "${phase}" of renewing leave the model as it was`, async () => {
      const model = await install();
      await tiny.writeHeads(2);
      const controller = new AbortController();
      const onProgress = (progress: InstallProgress) => {
        if (progress.phase === phase) controller.abort(new Error('cancelled'));
      };
      await assert.rejects(install({ signal: controller.signal, onProgress }), /cancelled/);
      assert.deepEqual(await files(model), whole);
      await verifyInstalled(model);
      assert.equal((await find()).heads.state, 'outdated');
      ready(await install());
    });
  }

  it('are refused when the trained heads are not those of the plan', async () => {
    const path = join(tiny.suite, 'tiny-model', 'heads-shared.safetensors');
    const content = await readFile(path);
    await writeFile(path, Buffer.concat([content, Buffer.alloc(1)]));
    await assert.rejects(install(), /is not what .*heads-shared-plan-int8.json was made for/);
    await rm(path);
    await assert.rejects(install(), /heads-shared.safetensors cannot be read/);
    assert.equal(await findInstalled(tiny.options()), undefined);
  });

  it('are refused when they do not fit the trunk or are malformed', async () => {
    const borrowed = [{ ...tinyHeadsPlan.borrowed[0], offset: 64 }];
    await tiny.writeHeads(1, {}, { borrowed });
    await assert.rejects(install(), /do not fit its trunk: "norm"/);
    await tiny.writeHeads(1, { shortlist: { dtype: 'I32', shape: [3], values: [2, 0, 4] } });
    await assert.rejects(install(), /takes a row that "embedding" does not have/);
    await tiny.writeHeads(1, { 'mix.scale': { dtype: 'F32', shape: [2], values: [1, NaN] } });
    await assert.rejects(install(), /holds values that cannot be used: Row 1 has the scale NaN/);
    await tiny.writeHeads(1, {}, { model: 'other' });
    await assert.rejects(install(), /is not a plan of int8 heads of tiny-model/);
    await rm(join(tiny.suite, 'tiny-model', 'heads-shared-plan-int8.json'));
    await assert.rejects(install(), /lacks the heads "shared" of tiny-model/);
  });

  it('a trunk’s plan with heads is none', async () => {
    await tiny.writePlan({ ...tinyHeadsPlan, heads: { ...tinyHeadsPlan.heads, sha256: '0'.repeat(64) } });
    await assert.rejects(install(), /is the plan of|not of tiny-model/);
  });
});
