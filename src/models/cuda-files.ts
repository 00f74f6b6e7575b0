/**
 * The libraries that ONNX Runtime's CUDA provider consists of and needs, kept in the data directory:
 * out of the vendors' Python packages, or links to what the system has. They are large (1 GB) and only
 * fetched when the user asks for it.
 *
 * A library is taken out of its package without installing or running anything of it, and kept only
 * with the size and hash given here. Knows nothing of how the engine loads them; see engine/cuda-link.ts.
 */
import { mkdir, open, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, explainSystemError, ModelError } from './errors';
import { fileSize, formatBytes, freeBytes, hashFile } from './files';
import { acquireLock } from './lock';
import { cudaDirectory } from './paths';
import type { ProgressListener } from './progress';
import { throttled } from './progress';
import type { PythonCommand, WheelTarget } from './wheels';
import { downloadWheel, extractMember, findPython, pythonCommands } from './wheels';

export interface CudaLibrary {
  /** As the loader asks for it. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface CudaPackage {
  readonly package: string;
  readonly version: string;
  readonly target: WheelTarget;
  /** Of the libraries, inside the wheel. */
  readonly folder: string;
  readonly libraries: readonly CudaLibrary[];
  /** Whether a system may have them, too: NVIDIA's, of the same major version by their names. */
  readonly ofSystem: boolean;
}

/** Version of ONNX Runtime that the packages below are for: the provider's must be the very same. */
export const CUDA_RUNTIME = '1.30.0';

const nvidia = { folder: 'nvidia/cu13/lib', ofSystem: true } as const;
/** Any Python's; pip wants one to be named. */
const anyPython = { python: '3.12', platforms: ['manylinux_2_27_x86_64', 'manylinux2014_x86_64'] };

export const CUDA_PACKAGES: readonly CudaPackage[] = [
  {
    package: 'onnxruntime-gpu',
    version: CUDA_RUNTIME,
    target: { python: '3.12', platforms: ['manylinux_2_28_x86_64'] },
    folder: 'onnxruntime/capi',
    ofSystem: false,
    libraries: [
      {
        name: 'libonnxruntime_providers_shared.so',
        bytes: 14_632,
        sha256: '086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d',
      },
      {
        name: 'libonnxruntime_providers_cuda.so',
        bytes: 272_049_904,
        sha256: '35da2e7ed0dd0d1aec5cdb16ce11a51d06c0c48cf62d1b1c9332946a4fae14fc',
      },
    ],
  },
  {
    package: 'nvidia-cublas',
    version: '13.0.2.14',
    target: anyPython,
    ...nvidia,
    libraries: [
      {
        name: 'libcublas.so.13',
        bytes: 54_440_120,
        sha256: '1d5f1452af53a0b1cf36bc7d8116d2a22a5f2cffbaa8fca25a1b70360a2e8d7a',
      },
      {
        name: 'libcublasLt.so.13',
        bytes: 539_533_072,
        sha256: '4c15f403ac2a8040a3291d07f6c351b5c1f730b45f2ea41f302e415e9600655b',
      },
    ],
  },
  {
    package: 'nvidia-cuda-runtime',
    version: '13.0.96',
    target: anyPython,
    ...nvidia,
    libraries: [
      {
        name: 'libcudart.so.13',
        bytes: 704_288,
        sha256: '96c42e418cec19054186b9429c321603cc190bf26a18104e19408117a2a817b0',
      },
    ],
  },
  {
    package: 'nvidia-curand',
    version: '10.4.0.35',
    target: anyPython,
    ...nvidia,
    libraries: [
      {
        name: 'libcurand.so.10',
        bytes: 132_698_328,
        sha256: 'b53732a66b302b11926e00f762e2c2ba67058347ff93cf4ae709de45e93e06da',
      },
    ],
  },
];

/** What all of it takes on a disk, where the system has none of it. */
export const CUDA_BYTES = CUDA_PACKAGES.flatMap(({ libraries }) => libraries).reduce(
  (sum, { bytes }) => sum + bytes,
  0,
);

/** Where CUDA's libraries lie on Linux systems, below the root. */
const SYSTEM_FOLDERS = [
  'usr/local/cuda-13/lib64',
  'usr/local/cuda/lib64',
  'opt/cuda/lib64',
  'usr/lib/x86_64-linux-gnu',
  'usr/lib64',
];

export interface CudaOptions {
  readonly home: string;
  /** Version of the installed onnxruntime-node. */
  readonly runtime: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** What is fetched, and how, and where the system's libraries are looked for; for tests. */
  readonly packages?: readonly CudaPackage[];
  readonly python?: readonly PythonCommand[] | undefined;
  readonly root?: string;
  readonly freeBytes?: (path: string) => Promise<number>;
}

export interface CudaFiles {
  readonly folder: string;
  /** Packages that were downloaded now. */
  readonly fetched: readonly string[];
  /** Libraries of the system that the folder links to. */
  readonly found: readonly string[];
}

/**
 * Whether these files are for this system and for that version of ONNX Runtime.
 *
 * @throws {ModelError} where they are not
 */
export function requireCudaTarget(runtime: string): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new ModelError('CUDA files are for Linux on x64; DirectML, on Windows, needs none.');
  }
  if (runtime !== CUDA_RUNTIME) {
    throw new ModelError(
      `The CUDA files known here are for ONNX Runtime ${CUDA_RUNTIME}, but ${runtime} is installed. Update the extension, or see docs/gpu.md.`,
    );
  }
}

/**
 * Gets what is missing. Where another process does, waits and takes over its result.
 *
 * @throws {ModelError} when it cannot be done; the message says what to do
 * @throws the signal's reason when aborted; whole libraries are kept
 */
export async function installCuda(options: CudaOptions): Promise<CudaFiles> {
  const { home, runtime, signal, packages = CUDA_PACKAGES } = options;
  requireCudaTarget(runtime);
  const folder = cudaDirectory(home, runtime);
  const report = throttled(options.onProgress ?? (() => undefined));
  try {
    await mkdir(folder, { recursive: true });
    const lock = await acquireLock(join(folder, '.lock'), { signal });
    try {
      await removePartial(folder);
      const found: string[] = [];
      const wanted: { readonly from: CudaPackage; readonly libraries: CudaLibrary[] }[] = [];
      for (const from of packages) {
        const libraries: CudaLibrary[] = [];
        for (const library of from.libraries) {
          const path = join(folder, library.name);
          if (await isThere(path, library, from)) continue;
          await rm(path, { force: true });
          const own = from.ofSystem ? await findOnSystem(library.name, options.root) : undefined;
          if (own === undefined) libraries.push(library);
          else {
            await symlink(own, path);
            found.push(own);
          }
        }
        if (libraries.length > 0) wanted.push({ from, libraries });
      }
      await requireSpace(options, wanted.flatMap(({ libraries }) => libraries));
      for (const { from, libraries } of wanted) await fetchFrom(from, libraries, folder, options, report);
      return { folder, fetched: wanted.map(({ from }) => from.package), found };
    } finally {
      await lock.release();
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw explainSystemError(error, 'getting the CUDA files');
  }
}

/** A whole library of the package, or a link to one of the system that still leads somewhere. */
async function isThere(path: string, { bytes }: CudaLibrary, { ofSystem }: CudaPackage) {
  const size = await fileSize(path);
  return size !== undefined && (size === bytes || ofSystem);
}

async function findOnSystem(name: string, root = '/'): Promise<string | undefined> {
  for (const folder of SYSTEM_FOLDERS) {
    const path = join(root, folder, name);
    if ((await fileSize(path)) !== undefined) return path;
  }
  return undefined;
}

async function fetchFrom(
  from: CudaPackage,
  libraries: readonly CudaLibrary[],
  folder: string,
  { signal, python = pythonCommands }: CudaOptions,
  report: ProgressListener,
): Promise<void> {
  const source = `Python package ${from.package}`;
  const total = libraries.reduce((sum, { bytes }) => sum + bytes, 0);
  report({ phase: 'download', source, done: 0, total });
  const scratch = join(folder, '.wheel');
  try {
    const command = await findPython(python, signal);
    const wheel = await downloadWheel(command, from, scratch, signal, (got) =>
      report({ phase: 'download', source, done: Math.min(total, got), total }),
    );
    for (const library of libraries) await extract(wheel, from, library, folder, signal, report);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(
      `${from.package} ${from.version} could not be fetched: ${describeError(error)} Check the connection and try again; what is there is kept.`,
      { cause: error },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Takes one library out of a wheel; it appears under its name only when its hash is right. */
async function extract(
  wheel: string,
  from: CudaPackage,
  { name, bytes, sha256 }: CudaLibrary,
  folder: string,
  signal: AbortSignal | undefined,
  report: ProgressListener,
): Promise<void> {
  const partial = join(folder, `${name}.partial`);
  try {
    const file = await open(partial, 'w');
    try {
      await extractMember(wheel, `${from.folder}/${name}`, file, 0, bytes, signal);
      await file.sync();
    } finally {
      await file.close();
    }
    const hashed = await hashFile(partial, {
      signal,
      onProgress: (done) => report({ phase: 'check', source: name, done, total: bytes }),
    });
    if (hashed.bytes !== bytes || hashed.sha256 !== sha256) {
      throw new ModelError(`It holds another ${name} than the one that is known here.`);
    }
    await rename(partial, join(folder, name));
  } finally {
    await rm(partial, { force: true });
  }
}

async function removePartial(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  }
}

async function requireSpace(
  { home, freeBytes: free = freeBytes }: CudaOptions,
  libraries: readonly CudaLibrary[],
): Promise<void> {
  if (libraries.length === 0) return;
  const largest = Math.max(...libraries.map(({ bytes }) => bytes));
  // The wheel of the largest one lies beside it for a while.
  const needed = libraries.reduce((sum, { bytes }) => sum + bytes, largest);
  const there = await free(home);
  if (there >= needed) return;
  throw new ModelError(
    `The CUDA files need ${formatBytes(needed)} of free space, but the disk of ${home} has ${formatBytes(there)}. Free some space, or set DYNAMO_HOME to a folder on another disk.`,
  );
}

/** The folder of the libraries, where all of the provider's own are whole. */
export async function findCuda(home: string, runtime: string): Promise<string | undefined> {
  const folder = cudaDirectory(home, runtime);
  for (const { libraries, ofSystem } of CUDA_PACKAGES) {
    for (const { name, bytes } of libraries) {
      if (!ofSystem && (await fileSize(join(folder, name))) !== bytes) return undefined;
    }
  }
  return (await stat(folder)).isDirectory() ? folder : undefined;
}
