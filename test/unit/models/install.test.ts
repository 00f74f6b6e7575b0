import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { ModelError } from '../../../src/models/errors';
import type { InstallOptions, InstallProgress } from '../../../src/models/install';
import { installModel, installPrecisions } from '../../../src/models/install';
import { findInstalled, lockPath, verifyInstalled } from '../../../src/models/installed';
import { installedDirectory, modelDirectory } from '../../../src/models/paths';
import { sendFile, tinyId, TinyModel, tinyPlan } from '../../fixtures/tiny-model';

describe('installModel', function () {
  this.timeout(30_000);
  let tiny: TinyModel;
  beforeEach(async () => (tiny = await TinyModel.create()));
  afterEach(() => tiny.dispose());

  const install = (more: Partial<InstallOptions> = {}) => installModel(tiny.options(more));
  const list = async (folder: string) => (await readdir(folder).catch(() => [])).sort();
  const downloads = () => list(join(tiny.home, 'downloads'));
  /** Nothing that looks installed, and no waste beside a download. */
  async function nothingInstalled() {
    assert.equal(await findInstalled(tiny.options()), undefined);
    assert.deepEqual(await list(modelDirectory(tiny.home, tinyId)), []);
  }
  async function installed() {
    const model = await findInstalled(tiny.options());
    assert.ok(model);
    await verifyInstalled(model);
    assert.deepEqual(await list(modelDirectory(tiny.home, tinyId)), ['int8']);
    return model;
  }
  const calls = async () =>
    (await readFile(join(tiny.shelf, 'calls.log'), 'utf8').catch(() => '')).trim().split('\n');

  it('downloads, converts and records, and deletes the download', async () => {
    const phases: string[] = [];
    const model = await install({ onProgress: ({ phase }) => void phases.push(phase) });
    assert.deepEqual(await installed(), model);
    assert.deepEqual([...new Set(phases)], ['download', 'check', 'convert', 'finish']);
    assert.deepEqual(await downloads(), []);
    assert.deepEqual(await list(model.directory), [
      'graph.onnx',
      'installed.json',
      'tokenizer.json',
      'weights-int8.bin',
    ]);
    assert.equal(await readFile(model.graph, 'utf8'), 'graph');
    const tokenizer = JSON.parse(await readFile(model.tokenizer, 'utf8')) as { version: string };
    assert.equal(tokenizer.version, '1.0');
    assert.equal((await readFile(model.weights)).length, tinyPlan.bytes);
  });

  it('makes several precisions of one download', async () => {
    const { precision, ...place } = tiny.options();
    assert.equal(precision, 'int8');
    const { suite } = tiny;
    const half = { ...tinyPlan, precision: 'fp16', weights: 'weights-fp16.bin' };
    await writeFile(join(suite, tinyId, 'plan-fp16.json'), JSON.stringify(half));
    await writeFile(join(suite, tinyId, 'trunk-fp16.onnx'), 'fp16 graph');
    await installPrecisions(place, ['int8', 'fp16']);
    assert.equal(tiny.requests.length, 1);
    assert.deepEqual(await downloads(), []);
    assert.deepEqual(await list(modelDirectory(tiny.home, tinyId)), ['fp16', 'int8']);
    await installPrecisions(place, ['int8', 'fp16']);
    assert.equal(tiny.requests.length, 1);
    // What is missing alone needs a download of its own, which goes again.
    await rm(installedDirectory(tiny.home, tinyId, 'int8'), { recursive: true });
    await installPrecisions(place, ['int8', 'fp16']);
    assert.equal(tiny.requests.length, 2);
    assert.deepEqual(await downloads(), []);
  });

  it('does nothing the second time', async () => {
    await install();
    const onProgress = () => assert.fail('there was something to do');
    await install({ onProgress });
    assert.equal(tiny.requests.length, 1);
  });

  describe('with a file of the user', () => {
    it('reads it where it stands, and leaves it there', async () => {
      await install({ from: tiny.file });
      await installed();
      assert.deepEqual(await readFile(tiny.file), tiny.gguf);
      assert.deepEqual(tiny.requests, []);
    });

    it('refuses another file without falling back to a download', async () => {
      const wrong = Buffer.from(tiny.gguf);
      wrong.writeUInt8(wrong.readUInt8(wrong.length - 40) ^ 1, wrong.length - 40);
      for (const content of [wrong, Buffer.from('short')]) {
        await writeFile(tiny.file, content);
        await assert.rejects(install({ from: tiny.file }), /not the file that Tiny is made of/);
      }
      await assert.rejects(install({ from: join(tiny.root, 'none') }), /There is no file/);
      assert.deepEqual(tiny.requests, []);
      await nothingInstalled();
    });
  });

  describe('from the publisher', () => {
    it('throws away a download with a wrong hash, and says so', async () => {
      tiny.answer = (response) => response.end(Buffer.alloc(tiny.gguf.length));
      await assert.rejects(install(), /127\.0\.0\.1.*SHA-256 is wrong.*--from FILE/);
      assert.deepEqual(await downloads(), []);
      await nothingInstalled();
    });

    it('starts over when what it resumed was damaged', async () => {
      await mkdir(join(tiny.home, 'downloads'), { recursive: true });
      await writeFile(join(tiny.home, 'downloads', `${tiny.sha256}.part`), 'damaged');
      await install();
      await installed();
      assert.deepEqual(tiny.requests, [7, 0]);
    });
  });

  describe('from registry packages', () => {
    beforeEach(async () => {
      tiny.answer = (response) => response.writeHead(503).end();
      await tiny.writeCatalog({ wheels: await tiny.fillShelf(3) });
    });

    it('joins the wheels when the publisher cannot be reached', async () => {
      const sources = new Set<string | undefined>();
      await install({ onProgress: ({ source }) => void sources.add(source) });
      await installed();
      assert.deepEqual(await downloads(), []);
      const wanted = [1, 2, 3].map((n) => `Python packages (pip), ${n} of 3`);
      assert.ok(wanted.every((source) => sources.has(source)));
      const [version, first] = await calls();
      assert.equal(version, '-m pip --version');
      assert.match(first ?? '', /^-m pip download --no-deps --only-binary=:all: .* tiny-part0==1.0$/);
    });

    it('resumes behind the last whole wheel', async () => {
      const missing = join(tiny.shelf, 'tiny-part1==1.0.whl');
      const wheel = await readFile(missing);
      await rm(missing);
      await assert.rejects(
        install(),
        /127\.0\.0\.1:\d+: .*HTTP status 503\. Python packages: pip did not get tiny-part1==1.0: No matching distribution.*--from FILE/,
      );
      await nothingInstalled();
      await writeFile(missing, wheel);
      await rm(join(tiny.shelf, 'calls.log'));
      await install();
      await installed();
      assert.deepEqual(
        (await calls()).slice(1).map((call) => call.split(' ').at(-1)),
        ['tiny-part1==1.0', 'tiny-part2==1.0'],
      );
    });

    it('refuses wheels without the member, and joined ones with a wrong hash', async () => {
      const wheels = (await tiny.fillShelf(2)) as { member: string }[];
      await tiny.writeCatalog({ wheels: [wheels[0], { ...wheels[1], member: 'other.bin' }] });
      await assert.rejects(install(), /has no file other.bin/);
      await tiny.writeCatalog({ wheels: [wheels[1], wheels[0]] });
      await assert.rejects(install(), /SHA-256 is wrong/);
      await tiny.writeCatalog({ wheels: [wheels[0]] });
      await assert.rejects(install(), /join to \d+ bytes instead of/);
      await tiny.writeCatalog({ wheels: [...wheels, ...wheels] });
      await assert.rejects(install(), /larger than it may be/);
      await writeFile(join(tiny.shelf, 'tiny-part0==1.0.whl'), 'no zip');
      await tiny.writeCatalog({ wheels: [{ ...wheels[0], version: '1.0' }] });
      await assert.rejects(install(), /not a sound wheel/);
      await nothingInstalled();
    });

    it('tries the next Python, and says when none has pip', async () => {
      const network = { ...tiny.options().network, python: [['no-such-python'] as const, tiny.python] };
      await install({ network });
      await installed();
      await rm(tiny.home, { recursive: true });
      await writeFile(join(tiny.shelf, 'no-pip'), '');
      await assert.rejects(install({ network }), /no-such-python: not found; .*No module named pip/);
    });

    it('stops pip when aborted', async () => {
      await writeFile(join(tiny.shelf, 'hang'), '');
      const controller = new AbortController();
      const onProgress = ({ source }: InstallProgress) => {
        if (source?.startsWith('Python') === true) {
          setTimeout(() => controller.abort(new Error('stop')), 100);
        }
      };
      await assert.rejects(install({ signal: controller.signal, onProgress }), /stop/);
      await nothingInstalled();
    });
  });

  describe('interrupted', () => {
    for (const phase of ['download', 'check', 'convert', 'finish'] as const) {
      it(`in the phase "${phase}" leaves nothing that looks installed; a rerun succeeds`, async () => {
        const controller = new AbortController();
        const reason = new Error('cancelled');
        const onProgress = (progress: InstallProgress) => {
          if (progress.phase === phase) controller.abort(reason);
        };
        await assert.rejects(install({ signal: controller.signal, onProgress }), reason);
        await nothingInstalled();
        await install();
        await installed();
        assert.deepEqual(await downloads(), []);
        // What was downloaded before is not downloaded again.
        assert.equal(tiny.requests.length, 1);
      });
    }

    it('before it begins does nothing', async () => {
      await assert.rejects(install({ signal: AbortSignal.abort(new Error('early')) }), /early/);
      assert.deepEqual(tiny.requests, []);
    });

    it('in a download keeps it, and resumes it', async () => {
      tiny.answer = (response, content) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 1000));
      };
      const controller = new AbortController();
      const onProgress = ({ done }: InstallProgress) => done === 1000 && controller.abort();
      // Reports are thinned out, so the abort may come with the stall instead: both keep the part.
      const network = { firstByteMs: 1000, stallMs: 100 };
      await assert.rejects(install({ signal: controller.signal, onProgress, network }));
      await nothingInstalled();
      assert.deepEqual(await downloads(), [`${tiny.sha256}.part`]);
      tiny.answer = sendFile;
      await install();
      await installed();
      assert.equal(tiny.requests.at(-1), 1000);
    });

    it('by a kill leaves waste that the next installation removes', async () => {
      await install();
      const whole = installedDirectory(tiny.home, tinyId, 'int8');
      const parent = dirname(whole);
      const killed = spawnSync(process.execPath, ['-e', '']).pid;
      // As a kill just before the last rename leaves it: whole, but under its hidden name.
      await rename(whole, join(parent, `.int8-${killed}-0a1b2c3d.partial`));
      await mkdir(join(parent, `.int8-${killed}-0a1b2c3d.retired`));
      const lock = { pid: killed, host: hostname(), token: 'x' };
      await writeFile(lockPath(tiny.home, tinyId), JSON.stringify(lock));
      assert.equal(await findInstalled(tiny.options()), undefined);
      await install();
      await installed();
    });
  });

  it('twice at once downloads once, and both get the result', async () => {
    const waits: (string | undefined)[] = [];
    const onProgress = ({ source }: InstallProgress) => void waits.push(source);
    const [one, two] = await Promise.all([install({ onProgress }), install({ onProgress })]);
    assert.deepEqual(one, two);
    assert.equal(tiny.requests.length, 1);
    assert.ok(waits.includes(`waiting for another process (${process.pid})`));
    await installed();
  });

  it('replaces an installation that is damaged or of an older plan', async () => {
    const { weights } = await install();
    await writeFile(weights, 'short');
    await install();
    await installed();
    await tiny.writePlan({ ...tinyPlan, bytes: 4096 });
    assert.equal(await findInstalled(tiny.options()), undefined);
    await install();
    assert.equal((await readFile((await installed()).weights)).length, 4096);
  });

  it('checks the free space before it downloads', async () => {
    const freeBytes = () => Promise.resolve(1_000_000);
    await assert.rejects(install({ freeBytes }), /Tiny needs 68 MB .* has 1 MB.*DYNAMO_HOME/);
    assert.deepEqual(tiny.requests, []);
    await nothingInstalled();
  });

  it('checks the free space again before it converts, and keeps the download', async () => {
    const answers = [1e12, 1_000_000];
    const freeBytes = () => Promise.resolve(answers.shift() ?? 0);
    await assert.rejects(install({ freeBytes }), /of free space/);
    await nothingInstalled();
    assert.deepEqual(await downloads(), [`${tiny.sha256}.part`]);
  });

  it('explains a full disk', async () => {
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const freeBytes = () => Promise.reject(full);
    await assert.rejects(install({ freeBytes }), /The disk is full \(while installing Tiny\)/);
  });

  it('leaves nothing but the download behind when the disk fills up meanwhile', async function () {
    await mkdir(tiny.home, { recursive: true });
    // A disk of its own, where the system lets us.
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', tiny.home]);
    if (mount.status !== 0) this.skip();
    try {
      const filler = join(tiny.home, 'other');
      const onProgress = ({ phase }: InstallProgress): void => {
        if (phase === 'download') return;
        try {
          for (;;) appendFileSync(filler, Buffer.alloc(4096));
        } catch {
          // Now it is full.
        }
      };
      const freeBytes = () => Promise.resolve(1e12); // So it was when it began.
      await assert.rejects(
        install({ freeBytes, onProgress }),
        /The disk is full \(while installing Tiny\)\. Free some space/,
      );
      await nothingInstalled();
      assert.deepEqual(await downloads(), [`${tiny.sha256}.part`]);
      await rm(filler);
      await install({ freeBytes });
      await installed();
      assert.equal(tiny.requests.length, 1);
    } finally {
      spawnSync('umount', [tiny.home]);
    }
  });

  it('refuses a plan that is not the model’s, and a suite without it', async () => {
    await tiny.writePlan({ ...tinyPlan, model: 'other' });
    await assert.rejects(install(), /is the plan of other \(int8\)/);
    await assert.rejects(install({ precision: 'fp32' }), /no fp32 graph of tiny-model/);
    await assert.rejects(install({ id: 'none' }), /no model called "none"/);
    await assert.rejects(access(tiny.home));
  });

  it('gives a clear error when the tensors are not what the plan says', async () => {
    const [norm] = tinyPlan.tensors;
    await tiny.writePlan({ ...tinyPlan, tensors: [{ ...norm, sources: [{ tensor: 'gone' }] }] });
    await assert.rejects(install(), (error) => error instanceof ModelError);
    await nothingInstalled();
  });
});
