/** What a run's command completes with: the model that this checkout's command line would choose. */
import { join, resolve } from 'node:path';
import { engineChoice, engineFlags, parse, type EngineChoice } from '../../src/cli/options';
import { selectDefault, selectModel } from '../../src/engine/select-model';
import { findInstalled } from '../../src/models/installed';
import { modelVersionOf, type ModelVersion } from '../environment';
import { placeIn } from '../measured-model';

const FLAGS = { ...engineFlags, jsonl: { type: 'boolean' } } as const;

/**
 * @param root of the checkout
 * @returns what the command asks for; undefined when it is not `dist/cli.js complete` of this checkout
 * @throws for flags that the command line would refuse, too
 */
export function ownCommand(command: readonly string[], root: string): EngineChoice | undefined {
  const at = command.findIndex((part) => resolve(part) === join(root, 'dist/cli.js'));
  if (at < 0 || command[at + 1] !== 'complete') return undefined;
  return engineChoice(parse(command.slice(at + 2), FLAGS).values);
}

/** @throws when the model is not installed */
export async function versionOf(
  { model, heads, precision, provider, device }: EngineChoice,
  root: string,
): Promise<ModelVersion> {
  const place = placeIn(root);
  const wish = {
    ...{ ...place, heads, precision, provider, device, options: {} },
    process: { worker: join(root, 'dist/worker.js') },
  };
  const { id, choice } =
    model === undefined
      ? await selectDefault(wish)
      : { id: model, choice: await selectModel({ ...wish, id: model }) };
  const files = choice?.model;
  const installed = files && (await findInstalled({ ...place, id, precision: files.precision }));
  if (!installed) throw new Error(`${id} is not installed: dynamo models install ${id}`);
  return await modelVersionOf(installed, files);
}
