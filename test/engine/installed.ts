/** The models that the engine tests run on; `npm test` installs them first. */
import { join } from 'node:path';
import { TrunkSession } from '../../src/engine/session';
import { findInstalled, type InstalledModel } from '../../src/models/installed';
import { dataDirectory, type Precision } from '../../src/models/paths';

export const suite = join(process.cwd(), 'models');

export async function installed(id: string, precision: Precision): Promise<InstalledModel> {
  const model = await findInstalled({ suite, home: dataDirectory(), id, precision });
  if (!model)
    throw new Error(`${id} (${precision}) is not installed: run npm test, not mocha alone.`);
  return model;
}

export async function openSession(id: string, precision: Precision): Promise<TrunkSession> {
  const model = await installed(id, precision);
  return TrunkSession.open(model, { threads: 2, contextLength: 2048 });
}

/** A signal that nobody aborts. */
export const never = new AbortController().signal;
