/** An installed model as a bench measures it. */
import { join } from 'node:path';
import type { ModelFiles } from '../src/engine/protocol';
import { filesWithDefaults } from '../src/engine/select-model';
import { findInstalled } from '../src/models/installed';
import { dataDirectory, type Precision } from '../src/models/paths';
import { modelVersionOf, type ModelVersion } from './environment';

export interface MeasuredModel {
  readonly files: ModelFiles;
  readonly version: ModelVersion;
}

/**
 * @param root of the checkout
 * @param heads the model's own when absent
 * @throws when it is not installed, or has no such heads
 */
export async function measuredModel(
  root: string,
  id: string,
  precision: Precision,
  heads?: string,
): Promise<MeasuredModel> {
  const suite = join(root, 'models');
  const installed = await findInstalled({ suite, home: dataDirectory(), id, precision });
  if (!installed) throw new Error(`${id} is not installed: dynamo models install ${id}`);
  const files = await filesWithDefaults(suite, installed, heads);
  return { files, version: await modelVersionOf(installed, files) };
}
