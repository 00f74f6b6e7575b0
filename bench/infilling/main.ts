/** The harness's command line; README.md beside it describes its use. */
import { basename, join } from 'node:path';
import { hashFile } from '../../src/models/files';
import { askCommand, ownSolutions, readCompletions, type Answer, type Order } from './completer';
import { parse, tell, UsageError, whole } from '../command-line';
import { environmentOf } from '../environment';
import { appendRow } from '../results-file';
import { createEvaluator } from './evaluate';
import { openResults, readResults, type RunHeader } from './results';
import { evaluateAll } from './run';
import { ownCommand, versionOf } from './subject';
import { compareResults, describeComparison, describeSummary, summarize } from './summary';
import { readTasks, selectTasks, type InfillingTask } from './tasks';

const USAGE = `usage:
  infilling run --out FILE [--count N] [--seed N] [--order suffix-first|prefix-first]
            [--max-tokens N] [--jobs N] [--tasks FILE]
            (--completions FILE | --canonical | [--label NAME] -- COMMAND ARGUMENT...)
  infilling summary FILE... [--json]
  infilling compare FIRST SECOND [--json]`;

const SILENCE_MS = 600_000;

async function run(args: readonly string[], folder: string): Promise<void> {
  const dashes = args.indexOf('--');
  const command = dashes < 0 ? [] : args.slice(dashes + 1);
  const { values, positionals } = parse(dashes < 0 ? args : args.slice(0, dashes), {
    out: { type: 'string' },
    count: { type: 'string', default: '420' },
    seed: { type: 'string', default: '1' },
    order: { type: 'string', default: 'suffix-first' },
    'max-tokens': { type: 'string', default: '64' },
    jobs: { type: 'string', default: '2' },
    tasks: {
      type: 'string',
      default: join(folder, '../data/HumanEval-SingleLineInfilling.jsonl.gz'),
    },
    completions: { type: 'string' },
    canonical: { type: 'boolean', default: false },
    label: { type: 'string' },
  });
  if (positionals.length > 0) throw new UsageError(`Unexpected ${positionals.join(' ')}.`);
  const { out, completions, canonical, label } = values;
  if (out === undefined) throw new UsageError('run needs --out FILE.');
  const given = [command.length > 0, completions !== undefined, canonical].filter(Boolean);
  if (given.length !== 1) {
    throw new UsageError('run needs one of --completions, --canonical, or a command behind --.');
  }
  const root = join(folder, '../..');
  const own = ownCommand(command, root);
  if (command.length > 0 && own === undefined && label === undefined) {
    throw new UsageError(
      'A command that is not this checkout’s own needs --label NAME: which model it completes with, and which version.',
    );
  }
  const order = orderOf(values.order);
  const maxTokens = whole('--max-tokens', values['max-tokens']);
  const seed = whole('--seed', values.seed, 0);
  const jobs = whole('--jobs', values.jobs);
  const tasks = selectTasks(await readTasks(values.tasks), whole('--count', values.count), seed);
  const header: RunHeader = {
    kind: 'infilling-run',
    version: 1,
    tasks: basename(values.tasks),
    seed,
    order,
    maxTokens,
    source: canonical ? 'canonical' : completions ? basename(completions) : command.join(' '),
    ...(completions !== undefined && { completionsSha256: (await hashFile(completions)).sha256 }),
    ...(own && { model: await versionOf(own, root) }),
    ...(label !== undefined && { label }),
    environment: environmentOf(root),
  };
  const evaluator = await createEvaluator(join(folder, 'runner.py'));
  const there = await openResults(out, header);
  const todo = tasks.filter(({ id }) => (there.get(id)?.verdict ?? 'error') === 'error');
  let done = tasks.length - todo.length;
  if (todo.length > 0) {
    await evaluateAll(todo, source(todo), evaluator, {
      jobs,
      write: async (row) => {
        await appendRow(out, row);
        done += 1;
        process.stderr.write(`${done}/${tasks.length} ${row.id} ${row.verdict} ${row.detail}\n`);
      },
    });
  }
  const chosen = new Set(tasks.map(({ id }) => id));
  const { rows } = await readResults(out);
  console.log(describeSummary(summarize([...rows.values()].filter(({ id }) => chosen.has(id)))));

  function source(wanted: readonly InfillingTask[]): AsyncIterable<Answer> {
    if (canonical) return ownSolutions(wanted);
    if (completions !== undefined) return readCompletions(completions, wanted);
    return askCommand(command, wanted, { order, maxTokens, idleMs: SILENCE_MS });
  }
}

async function summary(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  if (positionals.length === 0) throw new UsageError('summary takes one or more results files.');
  for (const path of positionals) {
    const result = summarize((await readResults(path)).rows.values());
    console.log(
      values.json ? JSON.stringify({ path, ...result }) : `${path}: ${describeSummary(result)}`,
    );
  }
}

async function compare(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  const [first, second] = positionals;
  if (first === undefined || second === undefined || positionals.length > 2) {
    throw new UsageError('compare takes two results files.');
  }
  const result = compareResults(await readResults(first), await readResults(second));
  console.log(values.json ? JSON.stringify(result) : describeComparison(result));
}

function orderOf(value: string): Order {
  if (value === 'suffix-first' || value === 'prefix-first') return value;
  throw new UsageError('--order is suffix-first or prefix-first.');
}

/** @param folder where runner.py lies */
export async function main(argv: readonly string[], folder: string): Promise<number> {
  const [name, ...args] = argv;
  try {
    if (name === 'run') await run(args, folder);
    else if (name === 'summary') await summary(args);
    else if (name === 'compare') await compare(args);
    else throw new UsageError('Give one of run, summary, compare.');
    return 0;
  } catch (error) {
    return tell(error, USAGE);
  }
}
