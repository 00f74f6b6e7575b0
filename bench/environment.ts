/** What a run of a bench was measured with and on, for its results file. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { ModelFiles } from '../src/engine/protocol';
import type { InstalledModel } from '../src/models/installed';
import { precisions } from '../src/models/paths';
import { readRecord } from '../src/models/record';
import { sha256 } from '../src/models/suite';

export const environmentSchema = z.object({
  processor: z.string(),
  cores: z.number(),
  memoryGigabytes: z.number(),
  system: z.string(),
  node: z.string(),
  onnxruntime: z.string(),
  version: z.string(),
  /** Of this repository; null outside of one. `+` behind it: with changes. */
  commit: z.string().nullable(),
  /** When the run began, ISO 8601; of two runs of one thing the later one counts. */
  begun: z.string().optional(),
  /** Programs that wanted a core in the minute before, on average: a busy machine's times mean little. */
  load: z.number().optional(),
  /**
   * Those that kernels are chosen by, for processors of one name may differ in them. Absent where the
   * system does not tell, and in older files.
   */
  vectorExtensions: z.array(z.string()).optional(),
});
export type Environment = z.infer<typeof environmentSchema>;

const packageFile = z.object({
  version: z.string(),
  dependencies: z.object({ 'onnxruntime-node': z.string() }),
});

/** @param root of the checkout */
export function environmentOf(root: string): Environment {
  const { version, dependencies } = packageFile.parse(
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')),
  );
  const all = cpus();
  const vectorExtensions = extensionsHere();
  return {
    processor: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGigabytes: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    onnxruntime: dependencies['onnxruntime-node'],
    version,
    commit: commitOf(root),
    begun: new Date().toISOString(),
    load: Math.round(10 * (loadavg()[0] ?? 0)) / 10,
    ...(vectorExtensions && { vectorExtensions }),
  };
}

const VECTOR_EXTENSIONS: readonly string[] = [
  ...['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'avx512_bf16', 'amx_int8'],
  ...['asimddp', 'i8mm'],
];

/**
 * @param cpuinfo what Linux has in /proc/cpuinfo
 * @returns undefined where it names no flags
 */
export function vectorExtensionsOf(cpuinfo: string): string[] | undefined {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/);
  return flags && VECTOR_EXTENSIONS.filter((each) => flags.includes(each));
}

function extensionsHere(): string[] | undefined {
  try {
    return vectorExtensionsOf(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return undefined;
  }
}

function commitOf(root: string): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD').trim()}${changed ? '+' : ''}`;
  } catch {
    return null;
  }
}

/**
 * What rows of one file have in common: they are of one machine and one runtime. A commit that changes
 * a document need not end a run.
 */
export function machineOf(environment: Environment): string {
  const { cores, onnxruntime } = environment;
  return `${processorOf(environment)}, ${cores} cores, ONNX Runtime ${onnxruntime}`;
}

/** Its name does not tell its vector extensions. */
export function processorOf({ processor, vectorExtensions }: Environment): string {
  if (vectorExtensions === undefined) return processor;
  return `${processor} (${vectorExtensions.join(', ') || 'no vector extensions'})`;
}

export const threadsOf = (count: number | null): string =>
  count === null ? 'threads of the engine’s choice' : `${count} thread${count === 1 ? '' : 's'}`;

export function describeEnvironment(environment: Environment): string {
  const { cores, memoryGigabytes, system, node, onnxruntime, version, commit } = environment;
  const { begun, load } = environment;
  return [
    ...[
      processorOf(environment),
      `${cores} cores`,
      `${memoryGigabytes} GB`,
      system,
      `Node ${node}`,
    ],
    ...[
      `ONNX Runtime ${onnxruntime}`,
      `DynaMo ${version}${commit === null ? '' : ` at ${commit}`}`,
    ],
    ...(begun === undefined ? [] : [begun.slice(0, 10)]),
    ...(load === undefined ? [] : [`load ${load} at the beginning`]),
  ].join(', ');
}

/** An installed model by its content: newer heads or graphs may have the same names. */
export const modelVersionSchema = z.object({
  id: z.string(),
  precision: z.enum(precisions),
  /** Of what the trunk is made of, see trunkSha256. */
  trunkSha256: z.string(),
  /** Name and SHA-256 of the trained heads; absent without any. */
  heads: z.string().optional(),
  headsSha256: z.string().optional(),
  /** Rows of a step of exact mode at most, the model's default; where there is one. */
  rows: z.number().optional(),
});
export type ModelVersion = z.infer<typeof modelVersionSchema>;

/** Of what an installation makes the trunk of: the publisher's file, weight plan and graph. */
export function trunkSha256({
  source,
  plan,
  graph,
}: Readonly<Record<'source' | 'plan' | 'graph', { readonly sha256: string }>>): string {
  return sha256([source.sha256, plan.sha256, graph.sha256].join(' '));
}

type VersionedModel = Pick<InstalledModel, 'id' | 'precision' | 'directory'> & {
  readonly heads: {
    readonly sets: readonly { readonly name: string; readonly description: { sha256: string } }[];
  };
};

/**
 * @param files of the installation, as the engine loads them
 * @throws when the installation's record is missing or damaged
 */
export async function modelVersionOf(
  { id, precision, directory, heads }: VersionedModel,
  files: Pick<ModelFiles, 'defaults'> & { readonly heads?: { readonly name: string } },
): Promise<ModelVersion> {
  const record = await readRecord(directory, id, precision);
  if (!record) throw new Error(`The record of ${id} (${precision}) is missing or damaged.`);
  const set = heads.sets.find(({ name }) => name === files.heads?.name);
  const rows = files.defaults?.rows;
  return {
    ...{ id, precision, trunkSha256: trunkSha256(record) },
    ...(set && { heads: set.name, headsSha256: set.description.sha256 }),
    ...(rows !== undefined && { rows }),
  };
}
