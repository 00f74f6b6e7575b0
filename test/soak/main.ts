/** `node test/soak/soak.mjs [--kills 1000] [--seed 1]`: kills the engine, with the installed 135M. */
import { join } from 'node:path';
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
  const { values } = parseArgs({ args: [...args], options: { kills: text, seed: text } });
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
    withinMs: 1000,
    onKill: (so) => {
      if (so.kills % EVERY === 0) console.log(describe(so));
    },
  });
  console.log(describe(report));
  const growth = report.memory.last - report.memory.early;
  console.log(`resident memory of the parent grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
  for (const failure of report.failures) console.error(failure);
  return report.failures.length > 0 || growth > MOST_GROWTH ? 1 : 0;
}

function describe({ kills, requests, results, errors, failures, latestMs }: SoakReport): string {
  const ends = Object.entries(errors).map(([code, count]) => `${count} ${code}`);
  return (
    `${kills} kills: ${requests} requests, ${[`${results} results`, ...ends].join(', ')}; ` +
    `${failures.length} failures; at the latest ${latestMs.toFixed(0)} ms after the deadline`
  );
}
