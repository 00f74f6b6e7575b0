/** The bench's command line; README.md beside it describes its use. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findModel, readCatalog } from '../../src/models/catalog';
import { oneOf, parse, tell, UsageError, whole } from '../command-line';
import { environmentOf } from '../environment';
import { deviceName } from './machine';
import { openResults, readResults, type RunHeader } from './results';
import { PARTS, QUICK, runGpu, WHOLE } from './run';
import { describe, figuresOf } from './summary';

const USAGE = `usage:
  gpu run --out FILE [--provider cuda|dml|cpu] [--device N] [--models ID,ID] [--quick]
          [--parts ${PARTS.join(',')}] [--texts N] [--minutes N] [--python PATH] [--no-peer]
  gpu summary FILE [--json]`;

const MODELS = 'qwen2.5-coder-0.5b,qwen2.5-coder-1.5b';

async function run(args: readonly string[], root: string): Promise<number> {
  const { values, positionals } = parse(args, {
    out: { type: 'string' },
    provider: { type: 'string', default: 'cuda' },
    device: { type: 'string', default: '0' },
    models: { type: 'string', default: MODELS },
    quick: { type: 'boolean', default: false },
    parts: { type: 'string', default: PARTS.join(',') },
    texts: { type: 'string' },
    minutes: { type: 'string', default: '1000' },
    python: { type: 'string', default: 'python3' },
    'no-peer': { type: 'boolean', default: false },
  });
  const { out, quick } = values;
  if (positionals.length > 0) throw new UsageError('run takes options only.');
  if (out === undefined) throw new UsageError('run needs --out FILE.');
  const name = oneOf('--provider', values.provider, ['cuda', 'dml', 'cpu'] as const);
  const device = whole('--device', values.device, 0);
  const until = performance.now() + 60_000 * whole('--minutes', values.minutes);
  const models = values.models.split(',');
  const parts = values.parts.split(',').map((part) => oneOf('--parts', part, PARTS));
  const plan = quick ? QUICK : WHOLE;
  const catalog = await readCatalog(join(root, 'models'));
  for (const id of models) findModel(catalog, id);

  const header: RunHeader = {
    ...{ kind: 'gpu-run', version: 1, provider: name, device, quick },
    deviceName: name === 'cuda' ? await deviceName(device) : null,
    environment: environmentOf(root),
  };
  await mkdir(dirname(out), { recursive: true });
  const complete = await runGpu({
    ...{ root, out, models, parts, until },
    provider: { name, device },
    plan: values.texts === undefined ? plan : { ...plan, texts: whole('--texts', values.texts) },
    python: values['no-peer'] ? undefined : values.python,
    there: await openResults(out, header),
    tell: (line) => process.stderr.write(`${line}\n`),
  });
  const results = await readResults(out);
  console.log(describe(results, figuresOf(results)));
  if (!complete) process.stderr.write('The time is up; run it again to go on.\n');
  return complete ? 0 : 3;
}

async function summary(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('summary takes one FILE.');
  const results = await readResults(file);
  const figures = figuresOf(results);
  if (values.json) console.log(JSON.stringify({ ...results.header, figures }));
  else console.log(describe(results, figures));
  return 0;
}

/** @param root of the checkout */
export async function main(argv: readonly string[], root: string): Promise<number> {
  const [name, ...args] = argv;
  try {
    if (name === 'run') return await run(args, root);
    if (name === 'summary') return await summary(args);
    throw new UsageError('Give one of run, summary.');
  } catch (error) {
    return tell(error, USAGE);
  }
}
