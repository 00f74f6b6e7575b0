/** `dynamo models`: list, install, verify, remove. */
import { existsSync } from 'node:fs';
import { findModel, readCatalog } from '../models/catalog';
import { messageOf, ModelError } from '../models/errors';
import { installPrecisions } from '../models/install';
import {
  findInstalled,
  isWhole,
  listInstalled,
  removeInstalled,
  verifyInstalled,
} from '../models/installed';
import { installedDirectory, precisions, type Precision } from '../models/paths';
import { verifyPrepared } from '../models/prepared';
import { modelFiles } from '../engine/client';
import { prepareModel } from '../engine/prepare-model';
import { installationFor } from '../engine/select-model';
import { home, suite, worker } from './engine';
import { oneOf, parse } from './options';
import { ProgressLine, size } from './present';
import { table } from './table';
import { screenOf } from './terminal';
import { UsageError } from './usage';

const PRECISION = { precision: { type: 'string' } } as const;

/** Each subcommand takes only the flags that mean something to it. */
export async function models(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  switch (command) {
    case 'list': {
      const { values, positionals } = parse(rest, { json: { type: 'boolean' } });
      if (positionals.length > 0) throw new UsageError('models list takes no model.');
      return list(values.json === true);
    }
    case 'install': {
      const flags = { from: { type: 'string' }, 'if-missing': { type: 'boolean' } } as const;
      const { values, positionals } = parse(rest, { ...PRECISION, ...flags });
      const precision = precisionOf(values.precision);
      return install(only(positionals), precision, values.from, values['if-missing'] === true);
    }
    case 'verify': {
      const { values, positionals } = parse(rest, PRECISION);
      return verify(only(positionals), chosen(values.precision));
    }
    case 'remove': {
      const { values, positionals } = parse(rest, PRECISION);
      const id = only(positionals);
      if (id === undefined) throw new UsageError('models remove takes the id of a model.');
      return remove(id, chosen(values.precision));
    }
    default:
      throw new UsageError('models takes list, install, verify or remove.');
  }
}

function only(positionals: readonly string[]): string | undefined {
  if (positionals.length > 1) throw new UsageError('Only one model can be named.');
  return positionals[0];
}

const precisionOf = (value: string | undefined): Precision | undefined =>
  value === undefined ? undefined : oneOf('--precision', value, precisions);

/** The precision that was named, or all. */
function chosen(value: string | undefined): readonly Precision[] {
  const precision = precisionOf(value);
  return precision ? [precision] : precisions;
}

async function list(json: boolean): Promise<void> {
  const catalog = await readCatalog(suite);
  const installed = await listInstalled({ suite, home: home() });
  const byDefault = (await installationFor({ suite, home: home(), worker })).id;
  const rows = catalog.models.map((entry) => ({
    id: entry.id,
    installed: installed.filter((model) => model.id === entry.id).map((model) => model.precision),
    download: entry.source.bytes,
    licence: entry.licence,
    purpose: entry.purpose,
    default: entry.id === byDefault,
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
  process.stdout.write(`\nUsed unless another is named: ${byDefault}\n`);
}

async function install(
  given: string | undefined,
  precision: Precision | undefined,
  from: string | undefined,
  onlyIfMissing: boolean,
): Promise<void> {
  const here = await installationFor({ suite, home: home(), worker });
  const { id, precisions: wanted } = {
    id: given ?? here.id,
    precisions: precision ? [precision] : here.precisions,
  };
  const place = { suite, home: home(), id };
  const found = await Promise.all(
    wanted.map((each) => findInstalled({ ...place, precision: each })),
  );
  if (found.every(isWhole)) {
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
    const { signal } = interrupt;
    await installPrecisions({ ...place, from, signal, onProgress }, wanted);
    let why: string | undefined;
    if (wanted.includes('int8')) {
      onProgress({ phase: 'prepare', done: 0, total: 0 });
      why = await prepare(id, signal);
    }
    line.clear();
    if (why !== undefined) process.stderr.write(`Not prepared, so it loads slower: ${why}\n`);
    const folders = wanted.map((each) => installedDirectory(home(), id, each));
    process.stderr.write(`Installed ${id} in ${folders.join(' and ')}\n`);
  } finally {
    line.clear();
  }
}

/**
 * Prepares the installed int8 graphs for this processor.
 *
 * @returns why that was not possible, or undefined
 */
async function prepare(id: string, signal: AbortSignal): Promise<string | undefined> {
  const installed = await findInstalled({ suite, home: home(), id, precision: 'int8' });
  if (installed === undefined) return 'it is not there any more.';
  try {
    const done = await prepareModel({ worker }, modelFiles(installed), {}, signal);
    return done ? undefined : 'the disk has no room for it.';
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

/** Checks everything that has a folder, so that a damaged model is not taken for a missing one. */
async function verify(id: string | undefined, formats: readonly Precision[]): Promise<void> {
  const catalog = await readCatalog(suite);
  const ids = id === undefined ? catalog.models.map((entry) => entry.id) : [id];
  for (const each of ids) findModel(catalog, each);
  const places = ids.flatMap((each) =>
    formats.map((precision) => ({
      id: each,
      precision,
      directory: installedDirectory(home(), each, precision),
    })),
  );
  const found = places.filter(({ directory }) => existsSync(directory));
  if (found.length === 0)
    throw new Error(id ? `${id} is not installed.` : 'No model is installed.');
  const problems: string[] = [];
  for (const place of found) {
    const line = new ProgressLine(process.stderr);
    try {
      await verifyInstalled(place, { onProgress: line.show.bind(line) });
      const removed = await verifyPrepared(place.directory);
      line.clear();
      for (const name of removed) {
        process.stderr.write(
          `${place.id}: ${name} was damaged and is removed; it can be made again.\n`,
        );
      }
      process.stdout.write(`${place.id} (${place.precision}): as installed\n`);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      problems.push(error.message);
    } finally {
      line.clear();
    }
  }
  if (problems.length > 0) throw new Error(problems.join(' '));
}

async function remove(id: string, formats: readonly Precision[]): Promise<void> {
  findModel(await readCatalog(suite), id);
  const removed: Precision[] = [];
  for (const precision of formats) {
    if (await removeInstalled({ home: home(), id, precision })) removed.push(precision);
  }
  if (removed.length === 0) throw new Error(`${id} is not installed.`);
  process.stdout.write(`Removed ${id} (${removed.join(', ')})\n`);
}
