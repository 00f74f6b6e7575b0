/** `dynamo gpu`: which GPUs there are, and the files that CUDA needs. */
import { locateRuntime } from '../engine/cuda-link';
import { nameOf } from '../engine/provider';
import { adaptersFor, installationFor } from '../engine/select-model';
import { CUDA_BYTES, installCuda, requireCudaTarget } from '../models/cuda-files';
import { home, suite, worker } from './engine';
import { parse } from './options';
import { ProgressLine, size } from './present';
import { UsageError } from './usage';

export async function gpu(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  const { positionals } = parse(rest, {});
  if (positionals.length > 0) throw new UsageError(`gpu ${command ?? ''} takes no arguments.`);
  if (command === 'status') return status();
  if (command === 'install') return install();
  throw new UsageError('gpu takes status or install.');
}

async function status(): Promise<void> {
  const { found, missing } = await adaptersFor(worker, home());
  for (const { provider, driver } of found) {
    process.stdout.write(`${nameOf(provider)}: driver ${driver}\n`);
  }
  if (found.length === 0) process.stdout.write(`No GPU can be used: ${missing}.\n`);
}

async function install(): Promise<void> {
  const { version } = locateRuntime(worker);
  requireCudaTarget(version);
  process.stderr.write(`CUDA files take ${size(CUDA_BYTES)} of the disk at most.\n`);
  const interrupt = new AbortController();
  process.once('SIGINT', () =>
    interrupt.abort(new Error('Interrupted; whole files are kept for the next time.')),
  );
  const line = new ProgressLine(process.stderr);
  try {
    const onProgress = line.show.bind(line);
    const options = { home: home(), runtime: version, signal: interrupt.signal, onProgress };
    const { folder, fetched, found } = await installCuda(options);
    line.clear();
    for (const path of found) process.stderr.write(`Found ${path}\n`);
    const how = fetched.length > 0 ? `from ${fetched.join(', ')}` : 'already';
    process.stderr.write(`The CUDA files are in ${folder} (${how}).\n`);
  } finally {
    line.clear();
  }
  await status();
  const { id, precisions } = await installationFor({ suite, home: home(), worker });
  if (precisions.includes('fp16')) {
    process.stderr.write(`Models for it: node dist/cli.js models install ${id}\n`);
  }
}
