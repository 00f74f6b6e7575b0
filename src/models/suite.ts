/**
 * The suite's part of a model: its graph and its weight plan, with their hashes.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorCode, ModelError } from './errors';
import type { Precision } from './paths';
import { suiteFiles } from './paths';

export interface SuiteModel {
  readonly plan: { readonly path: string; readonly text: string; readonly sha256: string };
  /** Without weights, so it is small. */
  readonly graph: { readonly content: Buffer; readonly sha256: string };
}

/** Reads both files; undefined when the suite does not have the model in that precision. */
export async function readSuiteModel(
  suite: string,
  id: string,
  precision: Precision,
): Promise<SuiteModel | undefined> {
  const paths = suiteFiles(suite, id, precision);
  try {
    const [plan, graph] = await Promise.all([readFile(paths.plan), readFile(paths.graph)]);
    return {
      plan: { path: paths.plan, text: plan.toString('utf8'), sha256: sha256(plan) },
      graph: { content: graph, sha256: sha256(graph) },
    };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws {ModelError} when the suite does not have the model in that precision */
export async function requireSuiteModel(
  suite: string,
  id: string,
  precision: Precision,
): Promise<SuiteModel> {
  const found = await readSuiteModel(suite, id, precision);
  if (found !== undefined) return found;
  const { plan, graph } = suiteFiles(suite, id, precision);
  throw new ModelError(
    `The suite has no ${precision} graph of ${id} (${graph} or ${plan} is missing). Choose another precision, or make it with training/.`,
  );
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
