/**
 * Which GPUs this machine has that a provider of the installed ONNX Runtime may run on, with their
 * drivers' versions. Reads a few files and, on Windows, the registry; loads no driver.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locateRuntime, NVIDIA_FOLDER } from './cuda-link';
import type { Adapter, Adapters } from './provider';

/** The installed ONNX Runtime. */
export interface Runtime {
  /** Its version, with that of the CUDA provider where its files are there. */
  readonly version: string;
  readonly cuda: boolean;
  readonly directMl: boolean;
}

const CUDA_LIBRARIES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];

/** @param worker path of the bundle that loads the runtime */
export async function findRuntime(
  worker: string,
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): Promise<Runtime> {
  const { version, folder } = locateRuntime(worker, platform, arch);
  const libraries = await Promise.all(CUDA_LIBRARIES.map((name) => sizeOf(join(folder, name))));
  const cuda = platform === 'linux' && libraries.every((size) => size !== undefined);
  const directMl =
    platform === 'win32' && (await sizeOf(join(folder, 'DirectML.dll'))) !== undefined;
  // NVIDIA's own libraries, as far as they are linked here: with more of them, what failed may work.
  const nvidia = await readdir(join(folder, NVIDIA_FOLDER)).catch(() => []);
  const files = [...libraries, nvidia.length].join('+');
  return { version: cuda ? `${version} cuda ${files}` : version, cuda, directMl };
}

/** @param root where the system's files are looked for; another one in tests */
export async function findAdapters(
  runtime: Runtime,
  platform: NodeJS.Platform = process.platform,
  root = '/',
): Promise<Adapters> {
  if (platform === 'linux') return await cudaAdapters(runtime, root);
  if (platform !== 'win32')
    return { found: [], missing: 'there is no GPU provider for this system' };
  if (!runtime.directMl) {
    return { found: [], missing: 'the files of DirectML are not there' };
  }
  return directMlAdapters(await registry());
}

async function cudaAdapters({ cuda }: Runtime, root: string): Promise<Adapters> {
  const nvidia = join(root, 'proc/driver/nvidia');
  const driver = await nvidiaDriver(nvidia, join(root, 'usr/lib/wsl/lib/libcuda.so.1'));
  if (driver === undefined) return { found: [], missing: 'there is no NVIDIA driver' };
  if (!cuda) {
    const missing = 'the files of the CUDA provider are not there ("dynamo gpu install" gets them)';
    return { found: [], missing };
  }
  const cards = await readdir(join(nvidia, 'gpus')).catch(() => []);
  const count = Math.max(1, cards.length);
  // CUDA counts the fastest first, so device 0 is the one to try.
  const found = Array.from({ length: count }, (_, device): Adapter => {
    return { provider: { name: 'cuda', device }, driver };
  });
  return { found, missing: '' };
}

/** Version of the kernel's driver; inside Windows' Linux the driver is Windows' own, seen as a file. */
async function nvidiaDriver(folder: string, wslLibrary: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'version'), 'utf8').catch(() => '');
  const version = /Kernel Module\D*? (\d+(?:\.\d+)+)/.exec(text.replace('x86_64', ''))?.[1];
  if (version !== undefined) return version;
  const found = await stat(wslLibrary).catch(() => undefined);
  return found && `wsl ${found.size}-${Math.round(found.mtimeMs)}`;
}

/** Windows keeps its display adapters, removed ones too, as numbered keys of this class. */
const DISPLAY_CLASS =
  'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}';

async function registry(): Promise<string> {
  // By its whole path: Windows looks for a bare name in the current folder first, which may be anybody's.
  const reg = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'reg.exe');
  try {
    const { stdout } = await promisify(execFile)(reg, ['query', DISPLAY_CLASS, '/s'], {
      timeout: 10_000,
      maxBuffer: 8 * 2 ** 20,
      windowsHide: true,
    });
    return stdout;
  } catch (error) {
    // Some keys below may not be read by everyone; what could be is in the output.
    const output: unknown = error instanceof Error && 'stdout' in error ? error.stdout : '';
    return typeof output === 'string' ? output : '';
  }
}

/**
 * Adapters in what `reg query` prints. The registry does not tell which of them DirectX counts first,
 * so all have one version, of which any change is a change, and each place is tried.
 */
export function directMlAdapters(registry: string): Adapters {
  const drivers = registry
    .split(/\r?\n(?=HKEY_)/)
    .flatMap(driverOf)
    .sort();
  if (drivers.length === 0)
    return { found: [], missing: 'there is no GPU with a driver of its own' };
  const found = drivers.map((_, device): Adapter => {
    return { provider: { name: 'dml', device }, driver: drivers.join(', ') };
  });
  return { found, missing: '' };
}

/** Name and version of the driver that a key of the registry tells of; none for Windows' own. */
function driverOf(key: string): string[] {
  const [path = ''] = key.trimStart().split(/\r?\n/, 1);
  if (!/^HKEY_.*\\\d{4}\s*$/.test(path)) return [];
  const name = valueOf(key, 'DriverDesc');
  const version = valueOf(key, 'DriverVersion');
  if (name === undefined || version === undefined || /^Microsoft /.test(name)) return [];
  return [`${name} ${version}`];
}

const valueOf = (key: string, name: string): string | undefined =>
  new RegExp(`^\\s+${name}\\s+REG_SZ\\s+(.+?)\\s*$`, 'm').exec(key)?.[1];

const sizeOf = async (path: string): Promise<number | undefined> =>
  (await stat(path).catch(() => undefined))?.size;
