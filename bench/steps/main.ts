/** The bench's command line; README.md beside it describes its use. */
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readCatalog } from '../../src/models/catalog';
import { precisions } from '../../src/models/paths';
import { oneOf, parse, tell, UsageError, whole } from '../command-line';
import { curveOf } from './curve';
import { measureSteps } from './measure';
import { decodingFor, splitModes } from './modes';
import { readResults, type ResultRow } from './results';
import { describe, figuresOf } from './summary';
import { KINDS, tasksOf } from './tasks';

const USAGE = `usage:
  steps run --out FILE [--model ID] [--precision P] [--heads NAME] [--modes ar,exact]
            [--kinds ${KINDS.join(',')}] [--count N] [--max-tokens N] [--threads N] [--test]
  steps summary FILE... [--json]
  steps curve FILE --out models/ID/thresholds.json`;

async function run(args: readonly string[], root: string): Promise<void> {
  const { values } = parse(args, {
    out: { type: 'string' },
    model: { type: 'string' },
    precision: { type: 'string', default: 'int8' },
    heads: { type: 'string' },
    modes: { type: 'string', default: 'ar,exact' },
    kinds: { type: 'string', default: 'line,span,held-out' },
    count: { type: 'string', default: '100000' },
    'max-tokens': { type: 'string', default: '64' },
    threads: { type: 'string' },
    test: { type: 'boolean', default: false },
  });
  const { out } = values;
  if (out === undefined) throw new UsageError('run needs --out FILE.');
  const precision = oneOf('--precision', values.precision, precisions);
  const modes = splitModes(values.modes);
  modes.forEach(decodingFor);
  const kinds = values.kinds.split(',').map((kind) => oneOf('--kinds', kind, KINDS));
  const count = whole('--count', values.count);
  const maxTokens = whole('--max-tokens', values['max-tokens']);
  const threads = values.threads === undefined ? undefined : whole('--threads', values.threads);

  const model = values.model ?? (await readCatalog(join(root, 'models'))).default;
  for (const kind of kinds) {
    const tasks = (await tasksOf(kind, root)).slice(0, count);
    await measureSteps({
      ...{ root, out, model, precision, heads: values.heads, modes, maxTokens, threads },
      ...{ test: values.test, tasks },
      onProgress: (done, { id }, row) =>
        process.stderr.write(`${kind} ${done}/${tasks.length} ${id}${differing(row)}\n`),
    });
  }
  console.log(describe(figuresOf(await readResults(out))));
}

const differing = ({ modes }: ResultRow): string => {
  const { ar, exact } = modes;
  return ar && exact && ar.text !== exact.text ? ' EXACT MODE SAID SOMETHING ELSE' : '';
};

async function summary(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  if (positionals.length === 0) throw new UsageError('summary takes one or more results files.');
  for (const path of positionals) {
    const results = await readResults(path);
    const figures = figuresOf(results);
    if (values.json) console.log(JSON.stringify({ path, ...results.header, figures }));
    else
      console.log(
        `${path}: ${results.header.model}, heads ${results.header.heads}\n${describe(figures)}`,
      );
  }
}

/** Writes what the threshold view shows as the model card's curve. */
async function curve(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, { out: { type: 'string' } });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('curve takes one results file.');
  if (values.out === undefined) throw new UsageError('curve needs --out FILE.');
  const made = curveOf(await readResults(file), basename(file));
  await writeFile(values.out, `${JSON.stringify(made, null, 2)}\n`);
  console.log(`${values.out}: ${made.curve.length} thresholds, ${made.tasks} tasks`);
}

/** @param root of the checkout */
export async function main(argv: readonly string[], root: string): Promise<number> {
  const [name, ...args] = argv;
  try {
    if (name === 'run') await run(args, root);
    else if (name === 'summary') await summary(args);
    else if (name === 'curve') await curve(args);
    else throw new UsageError('Give one of run, summary, curve.');
    return 0;
  } catch (error) {
    const code = tell(error, USAGE);
    return error instanceof RangeError ? 2 : code;
  }
}
