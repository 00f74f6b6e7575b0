/** What the engine says of a place, asked without an editor. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Engine, modelFiles } from '../../../src/engine/client';
import type { Inspection } from '../../../src/engine/inspection';
import { findInstalled } from '../../../src/models/installed';
import { dataDirectory } from '../../../src/models/paths';

/** @param heads name of the model's heads; its default when absent */
export async function inspectDirectly(
  id: string,
  prompt: string,
  heads?: string,
): Promise<Inspection> {
  const place = { suite: 'models', home: dataDirectory(), id };
  const installed = await findInstalled({ ...place, precision: 'int8' });
  assert.ok(installed, `${id} is installed: node dist/cli.js models install ${id}`);
  const engine = new Engine({ worker: join(process.cwd(), 'dist', 'worker.js') });
  try {
    await engine.load(modelFiles(installed, heads));
    return await engine.inspect({ place: { kind: 'prompt', prompt }, chains: 4 });
  } finally {
    await engine.dispose();
  }
}
