/**
 * `node test/fuzz/fuzz.mjs [--inputs 10000] [--seed 1] [--reader NAME]`: damaged inputs to every reader,
 * and damaged graphs to an engine with the installed 135M.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findInstalled } from '../../src/models/installed';
import { dataDirectory } from '../../src/models/paths';
import { fuzz } from './fuzz';
import { openGraphReader } from './graph';
import { openReaders, type Reader } from './readers';

const MODEL = 'smollm2-135m';
/** Each of them is a model that is loaded, or a process that is started again. */
const MOST_GRAPHS = 500;

export async function main(args: readonly string[], root: string): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { inputs: text, seed: text, reader: text },
  });
  const inputs = Number(values.inputs ?? 10_000);
  const seed = Number(values.seed ?? 1);
  const wanted = ({ name }: { name: string }) => [undefined, name].includes(values.reader);
  let failed = 0;
  const { readers, close } = openReaders();
  try {
    for (const reader of readers.filter(wanted)) failed += await report(reader, inputs, seed);
  } finally {
    close();
  }
  if (wanted({ name: 'graph' })) {
    const place = { suite: join(root, 'models'), home: dataDirectory(), id: MODEL };
    const installed = await findInstalled({ ...place, precision: 'int8' });
    if (!installed) {
      console.error(`${MODEL} is not installed. Run: node dist/cli.js models install ${MODEL}`);
      return 1;
    }
    const graphs = openGraphReader(join(root, 'dist', 'worker.js'), installed);
    try {
      failed += await report(graphs.reader, Math.min(inputs, MOST_GRAPHS), seed);
    } finally {
      await graphs.close();
    }
  }
  return failed > 0 ? 1 : 0;
}

/** Prints what became of a reader's inputs; returns the number of failures. */
async function report(reader: Reader, inputs: number, seed: number): Promise<number> {
  const { accepted, refused, mostMemory, longestMs, failures } = await fuzz(reader, inputs, seed);
  console.log(
    `${reader.name}: ${accepted} accepted, ${refused} refused, ${failures.length} failures; ` +
      `at most ${(mostMemory / 2 ** 20).toFixed(1)} MiB and ${longestMs.toFixed(0)} ms an input`,
  );
  for (const { what, input } of failures) console.error(`  ${what}\n  ${input}`);
  return failures.length;
}
