/**
 * Which model is meant when none is named: the catalogue's default, or the larger one that a GPU has
 * room and time for. What it asks is handed in, so that it is played through without a GPU.
 */
import type { Catalog } from '../models/catalog';
import type { ProviderChoice } from './choose-provider';
import type { Adapters, ProviderWish } from './provider';
import { candidatesFor } from './provider';

/** Ids of the models that come into question, the one to offer first. */
export async function defaultIds(
  { default: own, gpuDefault }: Pick<Catalog, 'default' | 'gpuDefault'>,
  wish: ProviderWish,
  adapters: () => Promise<Adapters>,
): Promise<readonly [string, ...string[]]> {
  if (gpuDefault === undefined || wish.provider === 'cpu') return [own];
  return candidatesFor(wish, await adapters()).length > 0 ? [gpuDefault, own] : [own];
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
