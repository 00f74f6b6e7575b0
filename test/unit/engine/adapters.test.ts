import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { directMlAdapters, findAdapters, findRuntime } from '../../../src/engine/adapters';

const CLASS =
  'HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}';

/** As `reg query` prints a key. */
const key = (path: string, values: Record<string, string>): string =>
  [
    path,
    ...Object.entries(values).map(([name, text]) => `    ${name}    REG_SZ    ${text}`),
    '',
  ].join('\r\n');

describe('the GPUs of a machine', () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'dynamo-adapters-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function write(path: string, content = ''): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }

  const runtime = { version: '1.30.0', cuda: true, directMl: false };

  it('are NVIDIA cards with their driver', async () => {
    write(
      'proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version:  gcc version 12.3.0\n',
    );
    mkdirSync(join(root, 'proc/driver/nvidia/gpus/0000:01:00.0'), { recursive: true });
    mkdirSync(join(root, 'proc/driver/nvidia/gpus/0000:02:00.0'), { recursive: true });
    const { found } = await findAdapters(runtime, 'linux', root);
    assert.deepEqual(found, [
      { provider: { name: 'cuda', device: 0 }, driver: '550.54.15' },
      { provider: { name: 'cuda', device: 1 }, driver: '550.54.15' },
    ]);
    write(
      'proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build\n',
    );
    const open = await findAdapters(runtime, 'linux', root);
    assert.equal(open.found[0]?.driver, '570.86.10');
    const without = await findAdapters({ ...runtime, cuda: false }, 'linux', root);
    assert.deepEqual(without.found, []);
    assert.match(without.missing, /CUDA provider are not there/);
  });

  it('may be seen from the Linux inside Windows', async () => {
    write('usr/lib/wsl/lib/libcuda.so.1', 'library');
    const { found } = await findAdapters(runtime, 'linux', root);
    assert.equal(found.length, 1);
    assert.match(found[0]?.driver ?? '', /^wsl 7-\d+$/);
  });

  it('are none where there is no driver, or no provider', async () => {
    const linux = await findAdapters(runtime, 'linux', root);
    assert.deepEqual(linux, { found: [], missing: 'there is no NVIDIA driver' });
    const mac = await findAdapters(runtime, 'darwin', root);
    assert.deepEqual(mac.found, []);
  });

  it('are what Windows lists as display adapters with drivers of their own', () => {
    const registry = [
      '',
      key(CLASS, { Class: 'Display' }),
      key(`${CLASS}\\0000`, {
        DriverDesc: 'Intel(R) UHD Graphics 770',
        DriverVersion: '31.0.101.5186',
      }),
      key(`${CLASS}\\0001`, {
        DriverDesc: 'NVIDIA GeForce RTX 3060',
        DriverVersion: '31.0.15.3623',
      }),
      key(`${CLASS}\\0001\\Settings`, { DriverDesc: 'not one', DriverVersion: '1' }),
      key(`${CLASS}\\0002`, {
        DriverDesc: 'Microsoft Remote Display Adapter',
        DriverVersion: '10.0.22621.1',
      }),
      key(`${CLASS}\\Configuration`, {}),
    ].join('\r\n');
    const { found } = directMlAdapters(registry);
    const driver = 'Intel(R) UHD Graphics 770 31.0.101.5186, NVIDIA GeForce RTX 3060 31.0.15.3623';
    assert.deepEqual(found, [
      { provider: { name: 'dml', device: 0 }, driver },
      { provider: { name: 'dml', device: 1 }, driver },
    ]);
    assert.deepEqual(directMlAdapters('').found, []);
    assert.deepEqual(directMlAdapters('ERROR: Access is denied.').found, []);
  });

  it('are asked of the system’s own reg.exe, wherever this runs', async function () {
    if (process.platform === 'win32') return this.skip();
    const card = (name: string) =>
      `#!/bin/sh\ncat <<'END'\n${key(`${CLASS}\\0000`, { DriverDesc: name, DriverVersion: '1' })}\nEND\n`;
    write('Windows/System32/reg.exe', card('System'));
    write('path/reg', card('Other'));
    chmodSync(join(root, 'Windows/System32/reg.exe'), 0o755);
    chmodSync(join(root, 'path/reg'), 0o755);
    const { SystemRoot: before, PATH: path } = process.env;
    process.env['SystemRoot'] = join(root, 'Windows');
    process.env['PATH'] = `${join(root, 'path')}:${path ?? ''}`;
    try {
      const { found } = await findAdapters({ ...runtime, directMl: true }, 'win32');
      assert.deepEqual(
        found.map(({ driver }) => driver),
        ['System 1'],
      );
    } finally {
      if (before === undefined) delete process.env['SystemRoot'];
      else process.env['SystemRoot'] = before;
      process.env['PATH'] = path;
    }
  });
});

describe('the installed runtime', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dynamo-runtime-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const place = (path: string, content: string) => {
    const whole = join(folder, 'node_modules/onnxruntime-node', path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, content);
  };
  const find = (platform: NodeJS.Platform) =>
    findRuntime(join(folder, 'worker.js'), platform, 'x64');

  it('has a version, and another one with the files of CUDA', async () => {
    place('package.json', '{"version":"1.30.0"}');
    const bin = 'bin/napi-v6/linux/x64';
    place(`${bin}/libonnxruntime_providers_shared.so`, 'ab');
    assert.deepEqual(await find('linux'), { version: '1.30.0', cuda: false, directMl: false });
    place(`${bin}/libonnxruntime_providers_cuda.so`, 'abc');
    assert.deepEqual(await find('linux'), {
      version: '1.30.0 cuda 2+3+0',
      cuda: true,
      directMl: false,
    });
    place(`${bin}/cuda/libcublas.so.13`, 'blas');
    assert.equal((await find('linux')).version, '1.30.0 cuda 2+3+1');
    assert.equal((await find('win32')).directMl, false);
    place('bin/napi-v6/win32/x64/DirectML.dll', 'x');
    assert.equal((await find('win32')).directMl, true);
  });
});
