import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkCuda, locateRuntime, withCuda } from '../../../src/engine/cuda-link';
import { CUDA_PACKAGES, CUDA_RUNTIME } from '../../../src/models/cuda-files';
import { cudaDirectory } from '../../../src/models/paths';

const PROVIDER = 'libonnxruntime_providers_cuda.so';

describe('the CUDA files of the data directory', function () {
  if (process.platform !== 'linux') return;
  let root: string;
  let home: string;
  let worker: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dynamo-link-'));
    home = join(root, 'home');
    worker = join(root, 'dist', 'worker.js');
    const module = join(root, 'dist', 'node_modules', 'onnxruntime-node');
    await mkdir(join(module, 'bin', 'napi-v6', 'linux', process.arch), { recursive: true });
    await writeFile(worker, '');
    await writeFile(join(module, 'package.json'), JSON.stringify({ version: CUDA_RUNTIME }));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** Files of the right size and without content. */
  async function fill(): Promise<string> {
    const folder = cudaDirectory(home, CUDA_RUNTIME);
    await mkdir(folder, { recursive: true });
    for (const { name, bytes } of CUDA_PACKAGES.flatMap(({ libraries }) => libraries)) {
      await writeFile(join(folder, name), '');
      await truncate(join(folder, name), bytes);
    }
    return folder;
  }

  it('are linked beside the runtime, NVIDIA’s where the engine is told to look', async () => {
    const from = await fill();
    const place = locateRuntime(worker);
    assert.equal(place.version, CUDA_RUNTIME);
    await linkCuda(home, place);
    await linkCuda(home, place); // As at every start.
    assert.equal(await readlink(join(place.folder, PROVIDER)), join(from, PROVIDER));
    const blas = join(place.folder, 'cuda', 'libcublas.so.13');
    assert.equal(await readlink(blas), join(from, 'libcublas.so.13'));
    const search = withCuda(worker, { LD_LIBRARY_PATH: '/mine' })['LD_LIBRARY_PATH'];
    assert.equal(search, `/mine:${join(place.folder, 'cuda')}`);
    assert.equal(withCuda(worker, {})['LD_LIBRARY_PATH'], join(place.folder, 'cuda'));
  });

  it('leave alone what somebody put there, and replace links that lead nowhere', async () => {
    const from = await fill();
    const place = locateRuntime(worker);
    const own = join(place.folder, 'libonnxruntime_providers_shared.so');
    await writeFile(own, 'own');
    await linkCuda(join(root, 'none'), place);
    assert.ok(!existsSync(join(place.folder, PROVIDER)));
    await linkCuda(home, place);
    await assert.rejects(readlink(own), { code: 'EINVAL' });
    await rm(join(from, PROVIDER));
    await linkCuda(home, place);
    assert.ok(!existsSync(join(place.folder, PROVIDER)));
    await fill();
    await linkCuda(home, place);
    assert.ok(existsSync(join(place.folder, PROVIDER)));
  });

  it('that are not whole are none, and change no environment', async () => {
    const from = await fill();
    await truncate(join(from, PROVIDER), 1);
    const place = locateRuntime(worker);
    await linkCuda(home, place);
    assert.ok(!existsSync(join(place.folder, PROVIDER)));
    const env = { A: 'b' };
    assert.equal(withCuda(worker, env), env);
    assert.equal(withCuda(join(root, 'nowhere', 'worker.js'), env), env);
  });
});
