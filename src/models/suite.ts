/**
 * The suite's part of a model: graph and weight plan of its trunk and of its heads, with their hashes.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogEntry } from './catalog';
import { headsNames } from './catalog';
import { errorCode, ModelError } from './errors';
import type { Precision } from './paths';
import { headsFileNames, suiteFiles, suiteHeadsFiles } from './paths';
import type { HeadsPlan } from './plan';
import { parsePlan } from './plan';

export interface SuiteModel {
  readonly plan: { readonly path: string; readonly text: string; readonly sha256: string };
  /** Without weights, so it is small. */
  readonly graph: { readonly content: Buffer; readonly sha256: string };
}

export interface SuiteHeads extends SuiteModel {
  readonly name: string;
  readonly parsed: HeadsPlan;
  /** The trained heads. Their hash is in the plan. */
  readonly file: string;
}

/** Reads both files; undefined when the suite does not have the model in that precision. */
export async function readSuiteModel(
  suite: string,
  id: string,
  precision: Precision,
): Promise<SuiteModel | undefined> {
  return await readFiles(suiteFiles(suite, id, precision));
}

/**
 * All heads that the catalogue names for a model, the default ones first.
 *
 * @throws {ModelError} when some are missing or malformed
 */
export async function readSuiteHeads(
  suite: string,
  entry: CatalogEntry,
  precision: Precision,
): Promise<SuiteHeads[]> {
  const names = headsNames(entry);
  return await Promise.all(names.map((name) => readOne(suite, entry.id, name, precision)));
}

async function readOne(
  suite: string,
  id: string,
  name: string,
  precision: Precision,
): Promise<SuiteHeads> {
  const paths = suiteHeadsFiles(suite, id, name, precision);
  const again = 'Reinstall the extension, or make them with training/.';
  const found = await readFiles(paths);
  if (found === undefined) {
    throw new ModelError(`The suite lacks the heads "${name}" of ${id} (${precision}). ${again}`);
  }
  const parsed = parsePlan(found.plan.text, paths.plan);
  const { heads } = parsed;
  if (heads === undefined || parsed.model !== id || parsed.precision !== precision) {
    throw new ModelError(`${paths.plan} is not a plan of ${precision} heads of ${id}. ${again}`);
  }
  const { weights } = headsFileNames(name, precision);
  if (parsed.weights !== weights) {
    throw new ModelError(`${paths.plan} names ${parsed.weights} instead of ${weights}. ${again}`);
  }
  return { ...found, name, parsed: { ...parsed, heads }, file: join(paths.folder, heads.file) };
}

async function readFiles(paths: { plan: string; graph: string }): Promise<SuiteModel | undefined> {
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
