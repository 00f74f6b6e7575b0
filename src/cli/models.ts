/** `dynamo models`: list, install, verify, remove. */
import { findModel, readCatalog } from '../models/catalog';
import { installModel } from '../models/install';
import {
  findInstalled,
  listInstalled,
  removeInstalled,
  verifyInstalled,
} from '../models/installed';
import { precisions, type Precision } from '../models/paths';
import { home, suite } from './engine';
import { oneOf, parse } from './options';
import { ProgressLine, size } from './present';
import { table } from './table';
import { screenOf } from './terminal';
import { UsageError } from './usage';

export async function models(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  const { values, positionals } = parse(rest, {
    from: { type: 'string' },
    precision: { type: 'string' },
    'if-missing': { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (positionals.length > 1) throw new UsageError(`models ${command ?? ''} takes one model.`);
  const [id] = positionals;
  const precision = oneOf('--precision', values.precision ?? 'int8', precisions);
  switch (command) {
    case 'list':
      if (id !== undefined) throw new UsageError('models list takes no model.');
      return list(values.json === true);
    case 'install':
      return install(id, precision, values.from, values['if-missing'] === true);
    case 'verify':
      return verify(id);
    case 'remove':
      if (id === undefined) throw new UsageError('models remove takes the id of a model.');
      return remove(id);
    default:
      throw new UsageError('models takes list, install, verify or remove.');
  }
}

async function list(json: boolean): Promise<void> {
  const catalog = await readCatalog(suite);
  const installed = await listInstalled({ suite, home: home() });
  const rows = catalog.models.map((entry) => ({
    id: entry.id,
    installed: installed.filter((model) => model.id === entry.id).map((model) => model.precision),
    download: entry.source.bytes,
    licence: entry.licence,
    purpose: entry.purpose,
    default: entry.id === catalog.default,
  }));
  if (json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  const lines = rows.map((row) => [
    row.id,
    row.installed.join(', ') || 'no',
    size(row.download),
    row.licence,
    row.purpose,
  ]);
  const heading = ['model', 'installed', 'download', 'licence', 'for'];
  const look = { ...screenOf(process.stdout), align: ['left', 'left', 'right'] } as const;
  process.stdout.write(table([heading, ...lines], look));
  process.stdout.write(`\nUsed unless another is named: ${catalog.default}\n`);
}

async function install(
  given: string | undefined,
  precision: Precision,
  from: string | undefined,
  onlyIfMissing: boolean,
): Promise<void> {
  const id = given ?? (await readCatalog(suite)).default;
  const place = { suite, home: home(), id, precision };
  if (await findInstalled(place)) {
    if (!onlyIfMissing) process.stderr.write(`${id} is installed already.\n`);
    return;
  }
  const interrupt = new AbortController();
  process.once('SIGINT', () =>
    interrupt.abort(new Error('Interrupted; what was downloaded is kept.')),
  );
  const line = new ProgressLine(process.stderr);
  try {
    const onProgress = line.show.bind(line);
    const model = await installModel({ ...place, from, signal: interrupt.signal, onProgress });
    line.clear();
    process.stderr.write(`Installed ${id} in ${model.directory}\n`);
  } finally {
    line.clear();
  }
}

async function verify(id: string | undefined): Promise<void> {
  if (id !== undefined) findModel(await readCatalog(suite), id);
  const found = (await listInstalled({ suite, home: home() })).filter(
    (model) => id === undefined || model.id === id,
  );
  if (found.length === 0)
    throw new Error(id ? `${id} is not installed.` : 'No model is installed.');
  const line = new ProgressLine(process.stderr);
  for (const model of found) {
    try {
      await verifyInstalled(model, { onProgress: line.show.bind(line) });
    } finally {
      line.clear();
    }
    process.stdout.write(`${model.id} (${model.precision}): as installed\n`);
  }
}

async function remove(id: string): Promise<void> {
  findModel(await readCatalog(suite), id);
  let removed = false;
  for (const precision of precisions) {
    removed = (await removeInstalled({ home: home(), id, precision })) || removed;
  }
  if (!removed) throw new Error(`${id} is not installed.`);
  process.stdout.write(`Removed ${id}\n`);
}
