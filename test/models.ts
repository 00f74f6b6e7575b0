/**
 * Installs the models that the engine tests need, all from one download each. Run by `npm test`
 * before the tests; takes well under a second when everything is there.
 */
import { join } from 'node:path';
import { installPrecisions } from '../src/models/install';
import { dataDirectory, type Precision } from '../src/models/paths';
import type { InstallProgress } from '../src/models/progress';

const MODELS: Readonly<Record<string, readonly Precision[]>> = {
  'smollm2-135m': ['int8', 'fp32', 'fp16'],
  'qwen2.5-coder-0.5b': ['int8', 'fp32'],
  'qwen2.5-coder-1.5b': ['int8'],
};

async function main(): Promise<void> {
  const place = { suite: join(process.cwd(), 'models'), home: dataDirectory() };
  for (const [id, precisions] of Object.entries(MODELS)) {
    await installPrecisions({ ...place, id, onProgress: report(id) }, precisions);
  }
}

/** One line for each thing that is done, not for each percent. */
function report(id: string): (progress: InstallProgress) => void {
  let last = '';
  return ({ phase, source = '' }) => {
    const line = `  ${id}: ${phase} ${source}`.trimEnd();
    if (line !== last) console.log(line);
    last = line;
  };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
