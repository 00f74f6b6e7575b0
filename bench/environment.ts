/** What a run of a bench was measured with and on, for the head of its results file. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

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
  };
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

export function describeEnvironment(environment: Environment): string {
  const { processor, cores, memoryGigabytes, system, node, onnxruntime, version, commit } =
    environment;
  const { begun, load } = environment;
  return [
    ...[processor, `${cores} cores`, `${memoryGigabytes} GB`, system, `Node ${node}`],
    ...[
      `ONNX Runtime ${onnxruntime}`,
      `DynaMo ${version}${commit === null ? '' : ` at ${commit}`}`,
    ],
    ...(begun === undefined ? [] : [begun.slice(0, 10)]),
    ...(load === undefined ? [] : [`load ${load} at the beginning`]),
  ].join(', ');
}
