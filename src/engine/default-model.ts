/**
 * Which model is meant when none is named: the catalogue's default, or the larger one that a GPU has
 * room and time for. What it asks is handed in, so that it is played through without a GPU.
 */
import type { Catalog } from '../models/catalog';
import type { ProviderChoice } from './choose-provider';
import type { Adapter, Adapters, ProviderWish } from './provider';
import { candidatesFor } from './provider';

/**
 * The GPUs that models are installed for, beside the CPU. One that was asked for by name counts; else one
 * that some model passed the test on. Of what no model was tried on, CUDA's count, as somebody fetched the
 * files for them; but Windows lists every display adapter.
 *
 * @param serves whether some model passed; undefined where none was tried
 */
export async function servingAdapters(
  wish: ProviderWish,
  adapters: () => Promise<Adapters>,
  serves: (adapter: Adapter) => Promise<boolean | undefined>,
): Promise<Adapter[]> {
  if (wish.provider === 'cpu') return [];
  const candidates = candidatesFor(wish, await adapters());
  if (wish.provider !== 'auto') return candidates;
  const known = await Promise.all(candidates.map(serves));
  return candidates.filter(({ provider }, i) => known[i] ?? provider.name === 'cuda');
}

/** Ids of the models that come into question, the one to offer first. */
export function defaultIds(
  { default: own, gpuDefault }: Pick<Catalog, 'default' | 'gpuDefault'>,
  serving: readonly Adapter[],
): readonly [string, ...string[]] {
  return gpuDefault !== undefined && serving.length > 0 ? [gpuDefault, own] : [own];
}

export interface DefaultModel {
  /** The one to load, or to offer where none is installed. */
  readonly id: string;
  /** Undefined where none is installed. */
  readonly choice: ProviderChoice | undefined;
}

/**
 * The first that runs on a GPU; else the last that is installed, which is the smallest.
 *
 * @param select undefined for a model that is not installed
 */
export async function chooseDefault(
  ids: readonly [string, ...string[]],
  select: (id: string) => Promise<ProviderChoice | undefined>,
): Promise<DefaultModel> {
  let found: DefaultModel = { id: ids[0], choice: undefined };
  for (const id of ids) {
    const choice = await select(id);
    if (choice) found = { id, choice };
    if (choice && choice.provider.name !== 'cpu') break;
  }
  return found;
}
