/**
 * Where models live on this machine. Pure: names of folders, no file is touched.
 */
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';

/** Number format of a trunk: int8 for the CPU, fp32 for checking, fp16 for GPUs. */
export type Precision = 'int8' | 'fp32' | 'fp16';

export const precisions: readonly Precision[] = ['int8', 'fp32', 'fp16'];

/** What a model's id may look like; it becomes a folder's name. */
export const modelIdPattern = /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/;

/** What a model's heads may be called; it becomes part of files' names. */
export const headsNamePattern = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/**
 * The data directory ("home"): `DYNAMO_HOME`, else the platform's folder for application data.
 * Always absolute.
 */
export function dataDirectory(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const path = platform === 'win32' ? win32 : posix;
  const chosen = env['DYNAMO_HOME'];
  if (chosen !== undefined && chosen.trim() !== '') return path.resolve(chosen);

  const user = (platform === 'win32' ? env['USERPROFILE'] : env['HOME']) ?? '';
  const userDirectory = path.isAbsolute(user) ? user : homedir();
  if (platform === 'win32') {
    const local = env['LOCALAPPDATA'] ?? '';
    return path.isAbsolute(local)
      ? path.join(local, 'dynamo')
      : path.join(userDirectory, 'AppData', 'Local', 'dynamo');
  }
  if (platform === 'darwin') {
    return path.join(userDirectory, 'Library', 'Application Support', 'dynamo');
  }
  // The XDG base directory specification: relative values are to be ignored.
  const xdg = env['XDG_DATA_HOME'] ?? '';
  return path.isAbsolute(xdg)
    ? path.join(xdg, 'dynamo')
    : path.join(userDirectory, '.local', 'share', 'dynamo');
}

/** Folder of one model: its installations, and the lock that guards them. */
export function modelDirectory(home: string, id: string): string {
  if (!modelIdPattern.test(id)) throw new RangeError(`"${id}" is not a model id.`);
  return hostPath.join(home, 'models', id);
}

/** Folder of one installation; it exists only when that installation is complete. */
export function installedDirectory(home: string, id: string, precision: Precision): string {
  return hostPath.join(modelDirectory(home, id), precision);
}

/** Folder of the CUDA provider's libraries for one version of ONNX Runtime. */
export function cudaDirectory(home: string, runtime: string): string {
  return hostPath.join(home, 'cuda', runtime);
}

/** Folder of partial downloads. */
export function downloadsDirectory(home: string): string {
  return hostPath.join(home, 'downloads');
}

/** The suite's files for one model and precision, made by training/. */
export function suiteFiles(
  suite: string,
  id: string,
  precision: Precision,
): { plan: string; graph: string } {
  if (!modelIdPattern.test(id)) throw new RangeError(`"${id}" is not a model id.`);
  return {
    plan: hostPath.join(suite, id, `plan-${precision}.json`),
    graph: hostPath.join(suite, id, `trunk-${precision}.onnx`),
  };
}

/** Names of installed heads' files. The weight file's is in the plan too, as the graph refers to it. */
export function headsFileNames(
  name: string,
  precision: Precision,
): { graph: string; weights: string } {
  return { graph: `heads-${name}.onnx`, weights: `heads-${name}-weights-${precision}.bin` };
}

/** The suite's co-occurrence table of a model. */
export function suiteTable(suite: string, id: string): string {
  if (!modelIdPattern.test(id)) throw new RangeError(`"${id}" is not a model id.`);
  return hostPath.join(suite, id, 'cooccurrence.bin');
}

/** The suite's files of a model's heads. `name` is the catalogue's. */
export function suiteHeadsFiles(
  suite: string,
  id: string,
  name: string,
  precision: Precision,
): { plan: string; graph: string; folder: string } {
  if (!modelIdPattern.test(id)) throw new RangeError(`"${id}" is not a model id.`);
  if (!headsNamePattern.test(name)) throw new RangeError(`"${name}" is not a name of heads.`);
  const folder = hostPath.join(suite, id);
  return {
    plan: hostPath.join(folder, `heads-${name}-plan-${precision}.json`),
    graph: hostPath.join(folder, `heads-${name}-${precision}.onnx`),
    folder,
  };
}

const hostPath = process.platform === 'win32' ? win32 : posix;
