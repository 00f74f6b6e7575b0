/**
 * The models as the suite has them now. Heads and trunks are made anew under the same names, so a run says
 * something of them only if its file tells that it was of these.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readCatalog, type CatalogEntry } from '../../src/models/catalog';
import { precisions } from '../../src/models/paths';
import { readSuiteHeads, readSuiteModel } from '../../src/models/suite';
import { readDefaults } from '../../src/models/threshold-curve';
import { trunkSha256, type ModelVersion } from '../environment';

/** Of the graphs for CPUs, which goals and defaults are about. */
export const SHIPPED_PRECISION = 'int8';

export interface Shipped {
  readonly id: string;
  /** Name of its default heads; `none` where it has none. */
  readonly heads: string;
  /** SHA-256 of trained heads, by name. */
  readonly trained: Readonly<Record<string, string>>;
  /** SHA-256 of what a trunk is made of (bench/environment.ts), by precision. */
  readonly trunks: Readonly<Record<string, string>>;
  /** Whether it has defaults of fast and exact mode for its default heads. */
  readonly calibrated: boolean;
}

/** What a file tells of the weights that were measured. */
export interface Weights {
  readonly precision: string;
  readonly heads: string;
  readonly headsSha256?: string | undefined;
  readonly trunkSha256?: string | undefined;
}

/** The default model first. */
export async function shippedModels(root: string): Promise<Shipped[]> {
  const suite = join(root, 'models');
  const { models, default: main } = await readCatalog(suite);
  const ordered = models.toSorted((a, b) => Number(b.id === main) - Number(a.id === main));
  return await Promise.all(ordered.map((entry) => shippedModel(suite, entry)));
}

async function shippedModel(suite: string, entry: CatalogEntry): Promise<Shipped> {
  const { id } = entry;
  const sets = await readSuiteHeads(suite, entry, SHIPPED_PRECISION);
  const trained = sets.map(({ name, parsed }) => [name, parsed.heads.sha256] as const);
  const trunks = precisions.map(async (precision) => {
    const found = await readSuiteModel(suite, id, precision);
    return found ? [[precision, trunkSha256({ source: entry.source, ...found })] as const] : [];
  });
  const [own] = trained;
  const heads = own && { name: own[0], sha256: own[1] };
  const defaults = heads && (await readDefaults(suite, id, heads, SHIPPED_PRECISION));
  return {
    ...{ id, heads: heads?.name ?? 'none', trained: Object.fromEntries(trained) },
    trunks: Object.fromEntries((await Promise.all(trunks)).flat()),
    calibrated: defaults?.epsilon !== undefined,
  };
}

/** Whether they are the suite's; what tells nothing of itself is not. */
export function isCurrent(
  shipped: readonly Shipped[],
  id: string,
  weights: Weights | undefined,
): boolean {
  const model = shipped.find((each) => each.id === id);
  if (!weights || !model) return false;
  const { precision, heads, headsSha256, trunkSha256: made } = weights;
  const sameTrunk = made !== undefined && made === model.trunks[precision];
  const sameHeads = headsSha256 !== undefined && headsSha256 === model.trained[heads];
  return sameTrunk && (heads === 'none' || sameHeads);
}

const version = z.object({
  precision: z.string(),
  trunkSha256: z.string(),
  heads: z.string().default('none'),
  headsSha256: z.string().optional(),
});
const peersRow = z.object({ model: z.string(), loaded: z.object({ model: version }) });

/** Of a model that may have none. */
export const withHeads = ({ heads = 'none', ...model }: ModelVersion): Weights => ({
  ...model,
  heads,
});

/** What the rows of bench/peers tell of each model's weights; older ones tell nothing. */
export function loadedWeights(rows: readonly unknown[]): Record<string, Weights> {
  const told = rows.flatMap((row) => peersRow.safeParse(row).data ?? []);
  return Object.fromEntries(told.map(({ model, loaded }) => [model, loaded.model]));
}
