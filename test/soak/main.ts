/**
 * `node test/soak/soak.mjs [--kills 1000] [--seed 1] [--pause-while FILE]`: kills the engine, with the
 * installed 135M. Between two kills it waits while FILE exists: something else may be measured then.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { modelFiles } from '../../src/engine/client';
import { findInstalled } from '../../src/models/installed';
import { dataDirectory } from '../../src/models/paths';
import { soak, type SoakReport } from './kills';

const MODEL = 'smollm2-135m';
/** Kills before the report of progress. */
const EVERY = 50;
/** Memory that the parent may gain between a tenth of the kills and the end, bytes. */
const MOST_GROWTH = 64 * 2 ** 20;

export async function main(args: readonly string[], root: string): Promise<number> {
  const text = { type: 'string' } as const;
  const options = { kills: text, seed: text, 'pause-while': text };
  const { values } = parseArgs({ args: [...args], options });
  const pause = values['pause-while'];
  const place = { suite: join(root, 'models'), home: dataDirectory(), id: MODEL };
  const installed = await findInstalled({ ...place, precision: 'int8' });
  if (!installed) {
    console.error(`${MODEL} is not installed. Run: node dist/cli.js models install ${MODEL}`);
    return 1;
  }
  const report = await soak({
    worker: join(root, 'dist', 'worker.js'),
    model: modelFiles(installed),
    kills: Number(values.kills ?? 1000),
    seed: Number(values.seed ?? 1),
    onKill: async (so) => {
      if (so.kills % EVERY === 0) console.log(describe(so));
      while (pause !== undefined && existsSync(pause)) await sleep(200);
    },
  });
  console.log(describe(report));
  const growth = report.memory.last - report.memory.early;
  const [early, last] = [report.memory.early, report.memory.last].map(mebibytes);
  console.log(
    `resident memory of the parent: ${early} MiB after a tenth of the kills, ${last} at the end`,
  );
  for (const failure of report.failures) console.error(failure);
  return report.failures.length > 0 || growth > MOST_GROWTH ? 1 : 0;
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function describe({ kills, requests, results, errors, failures, latestMs }: SoakReport): string {
  const ends = Object.entries(errors).map(([code, count]) => `${count} ${code}`);
  return (
    `${kills} kills: ${requests} requests, ${[`${results} results`, ...ends].join(', ')}; ` +
    `${failures.length} failures; at the latest ${latestMs.toFixed(0)} ms after the deadline`
  );
}
