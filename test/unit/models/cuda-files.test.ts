import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CUDA_PACKAGES,
  CUDA_RUNTIME,
  installCuda,
  type CudaOptions,
  type CudaPackage,
} from '../../../src/models/cuda-files';
import { cudaDirectory } from '../../../src/models/paths';
import { fakePip } from '../../fixtures/tiny-model';
import { zipBytes } from '../../fixtures/zip-writer';

describe('the CUDA files', function () {
  this.timeout(30_000);
  let root: string;
  let home: string;
  let folder: string;
  let packages: CudaPackage[];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dynamo-cuda-'));
    home = join(root, 'home');
    folder = cudaDirectory(home, CUDA_RUNTIME);
    await mkdir(join(root, 'shelf'));
    await writeFile(join(root, 'shelf', 'pip.cjs'), fakePip);
    packages = [
      await shelve('provider', false, { 'libshared.so': 'shared', 'libcuda-provider.so': 'provider' }),
      await shelve('vendor', true, { 'libblas.so.13': 'blas' }),
    ];
  });
  afterEach(() => rm(root, { recursive: true }));

  /** Puts a wheel on the shelf and describes it. */
  async function shelve(
    name: string,
    ofSystem: boolean,
    libraries: Record<string, string>,
  ): Promise<CudaPackage> {
    const files = Object.entries(libraries).map(([file, text]) => [file, Buffer.from(text)] as const);
    const members = files.map(([file, content]) => [`lib/${file}`, content] as const);
    const zip = zipBytes({ 'other.so': Buffer.from('x'), ...Object.fromEntries(members) });
    await writeFile(join(root, 'shelf', `${name}==1.0.whl`), zip);
    return {
      package: name,
      version: '1.0',
      target: { python: '3.12', platforms: ['manylinux_2_28_x86_64'] },
      folder: 'lib',
      ofSystem,
      libraries: files.map(([file, content]) => ({
        name: file,
        bytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
      })),
    };
  }

  const options = (more: Partial<CudaOptions> = {}): CudaOptions => ({
    ...{ home, runtime: CUDA_RUNTIME, packages, root: join(root, 'system') },
    python: [[process.execPath, join(root, 'shelf', 'pip.cjs')]],
    ...more,
  });
  const libraries = async () =>
    (await readdir(folder)).filter((name) => name.startsWith('lib')).sort();

  it('come out of their packages, and nothing else does', async () => {
    const phases = new Set<string>();
    const { fetched } = await installCuda(options({ onProgress: ({ phase }) => phases.add(phase) }));
    assert.deepEqual(fetched, ['provider', 'vendor']);
    assert.deepEqual(await libraries(), ['libblas.so.13', 'libcuda-provider.so', 'libshared.so']);
    assert.equal(await readFile(join(folder, 'libblas.so.13'), 'utf8'), 'blas');
    assert.deepEqual([...phases], ['download', 'check']);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => !name.startsWith('lib')),
      [],
    );
  });

  it('are asked for by platform, whatever Python pip runs on, and only once', async () => {
    await installCuda(options());
    const calls = await readFile(join(root, 'shelf', 'calls.log'), 'utf8');
    assert.match(calls, /--python-version 3\.12 --platform manylinux_2_28_x86_64 .*provider==1\.0/);
    await installCuda(options());
    const again = await readFile(join(root, 'shelf', 'calls.log'), 'utf8');
    assert.equal(again, calls);
  });

  it('of NVIDIA are taken from the system where it has them', async () => {
    const own = join(root, 'system', 'usr/local/cuda/lib64', 'libblas.so.13');
    await mkdir(join(own, '..'), { recursive: true });
    await writeFile(own, 'another build');
    const { fetched, found } = await installCuda(options());
    assert.deepEqual([fetched, found], [['provider'], [own]]);
    assert.equal(await readlink(join(folder, 'libblas.so.13')), own);
    // The system's are gone: the link leads nowhere, and the package is fetched.
    await rm(own);
    assert.deepEqual((await installCuda(options())).fetched, ['vendor']);
    assert.equal(await readFile(join(folder, 'libblas.so.13'), 'utf8'), 'blas');
  });

  it('that are others than the known ones are refused, and what is there stays', async () => {
    const [provider, vendor] = packages;
    assert.ok(provider && vendor);
    await shelve('vendor', true, { 'libblas.so.13': 'BLAS' });
    await assert.rejects(installCuda(options()), /vendor 1\.0 could not be fetched: It holds another/);
    assert.deepEqual(await libraries(), ['libcuda-provider.so', 'libshared.so']);
    await shelve('vendor', true, { 'libblas.so.12': 'blas' });
    await assert.rejects(installCuda(options()), /has no file lib\/libblas\.so\.13/);
    await shelve('vendor', true, { 'libblas.so.13': 'blas and more' });
    await assert.rejects(installCuda(options()), /larger than it may be/);
    assert.deepEqual(await libraries(), ['libcuda-provider.so', 'libshared.so']);
  });

  it('are not fetched for another runtime, without pip or without room', async () => {
    await assert.rejects(installCuda(options({ runtime: '1.2.3' })), /but 1\.2\.3 is installed/);
    await assert.rejects(installCuda(options({ python: [['no-such-python']] })), /pip was not found/);
    await assert.rejects(
      installCuda(options({ freeBytes: () => Promise.resolve(3) })),
      /need .* of free space/,
    );
  });

  it('that are known are for the runtime of package.json', async () => {
    const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
      dependencies: Record<string, string>;
    };
    assert.equal(dependencies['onnxruntime-node'], CUDA_RUNTIME);
    assert.equal(CUDA_PACKAGES[0]?.version, CUDA_RUNTIME);
  });
});
