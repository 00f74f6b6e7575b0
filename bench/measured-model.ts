/** An installed model as a bench measures it. */
import { join } from 'node:path';
import type { ModelFiles } from '../src/engine/protocol';
import { filesWithDefaults } from '../src/engine/select-model';
import { bringHeadsUpToDate } from '../src/models/install';
import type { ModelPlace } from '../src/models/installed';
import { dataDirectory } from '../src/models/paths';
import { modelVersionOf, type ModelVersion } from './environment';

export interface MeasuredModel {
  readonly files: ModelFiles;
  readonly version: ModelVersion;
}

/** Where a checkout's models are installed. */
export const placeIn = (root: string): Pick<ModelPlace, 'suite' | 'home'> => ({
  suite: join(root, 'models'),
  home: dataDirectory(),
});

/**
 * With the suite's present heads, as the product loads it: those of an earlier checkout are renewed.
 *
 * @param heads the model's own when absent
 * @throws when it is not installed, or has no such heads
 */
export async function measuredModel(place: ModelPlace, heads?: string): Promise<MeasuredModel> {
  const { suite, id } = place;
  const installed = await bringHeadsUpToDate(place);
  if (!installed) throw new Error(`${id} is not installed: dynamo models install ${id}`);
  const files = await filesWithDefaults(suite, installed, heads);
  return { files, version: await modelVersionOf(installed, files) };
}
