/**
 * Brings the CUDA files of the data directory (models/cuda-files.ts) to where ONNX Runtime loads them:
 * its provider's libraries beside its own, as links, and NVIDIA's in a folder that the engine's process
 * is told to search. An extension that was updated has a new folder and is linked again by itself.
 */
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { z } from 'zod';
import { findCuda } from '../models/cuda-files';

export interface RuntimePlace {
  readonly version: string;
  /** Of the runtime's own library. */
  readonly folder: string;
}

const manifest = z.object({ version: z.string().max(100) });

/**
 * @param worker path of the bundle that loads the runtime
 * @throws when there is none beside it
 */
export function locateRuntime(
  worker: string,
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): RuntimePlace {
  const path = createRequire(worker).resolve('onnxruntime-node/package.json');
  const { version } = manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  return { version, folder: join(dirname(path), 'bin', 'napi-v6', platform, arch) };
}

/** Beside the runtime's library; holds links to NVIDIA's. */
export const NVIDIA_FOLDER = 'cuda';
const OF_PROVIDER = /^libonnxruntime_providers_\w+\.so$/;

/**
 * Links what the data directory has; nothing where it has not all of it. Libraries that somebody else
 * put there stay.
 */
export async function linkCuda(home: string, { version, folder }: RuntimePlace): Promise<void> {
  const from = await findCuda(home, version);
  if (from === undefined) return;
  const names = (await readdir(from)).filter((name) => /^lib.+\.so(?:\.\d+)?$/.test(name));
  await mkdir(join(folder, NVIDIA_FOLDER), { recursive: true });
  for (const name of names) {
    const link = OF_PROVIDER.test(name) ? join(folder, name) : join(folder, NVIDIA_FOLDER, name);
    if (existsSync(link)) continue;
    await rm(link, { force: true }); // It may be a link that leads nowhere any more.
    await symlink(join(from, name), link);
  }
}

/** The environment of a process that may load the CUDA provider. */
export function withCuda(worker: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (process.platform !== 'linux') return env;
  let folder: string;
  try {
    folder = join(locateRuntime(worker).folder, NVIDIA_FOLDER);
  } catch {
    return env; // The process will say that it has no runtime.
  }
  if (!existsSync(folder)) return env;
  const path = [env['LD_LIBRARY_PATH'], folder].filter((part) => part !== undefined && part !== '');
  return { ...env, LD_LIBRARY_PATH: path.join(delimiter) };
}
