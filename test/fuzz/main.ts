/** `node test/fuzz/fuzz.mjs [--inputs 10000] [--seed 1] [--reader NAME]`: damaged inputs to every reader. */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz';
import { openReaders } from './readers';

export async function main(args: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { inputs: text, seed: text, reader: text },
  });
  const inputs = Number(values.inputs ?? 10_000);
  const { readers, close } = openReaders();
  let failed = 0;
  try {
    for (const reader of readers) {
      if (values.reader !== undefined && reader.name !== values.reader) continue;
      const outcome = await fuzz(reader, inputs, Number(values.seed ?? 1));
      const { accepted, refused, mostMemory, longestMs, failures } = outcome;
      console.log(
        `${reader.name}: ${accepted} accepted, ${refused} refused, ${failures.length} failures; ` +
          `at most ${(mostMemory / 2 ** 20).toFixed(1)} MiB and ${longestMs.toFixed(0)} ms an input`,
      );
      for (const { what, input } of failures) console.error(`  ${what}\n  ${input}`);
      failed += failures.length;
    }
  } finally {
    close();
  }
  return failed > 0 ? 1 : 0;
}
