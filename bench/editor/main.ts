/**
 * `npm run bench:editor -- run|summary|leak --out FILE`: from a key to grey text in a real VS Code, with
 * the real 0.5B model, and what memory many completions leave. `run` stops after `--minutes` and goes
 * on where it stood when it is run again.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Desk } from '../../test/editor/harness/desk';
import type { EditorWindow } from '../../test/editor/harness/window';
import type { MemorySample } from './leak-host';
import type { HostFigures } from './observer';
import { untilQuiet } from './quiet';
import { openResults, readResults, type KeyRow } from './rows';
import { summary } from './summary';
import { typeVisit, type WatchedDesk } from './typing';
import { visitsOf, type SourceFile, type Visit } from './visits';

const SOURCES = join('training', 'oracle', 'heldout');
const MODEL = 'qwen2.5-coder-0.5b';
/** A completion is given up after so many seconds (eight deadlines of a second). */
const LONGEST_S = 8;

export async function main(args: readonly string[], root: string): Promise<number> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: text, rounds: text, minutes: text, label: text, completions: text },
  });
  const out = values.out ?? join(root, 'out', 'editor-latency.jsonl');
  if (positionals[0] === 'summary') {
    console.log(summary([...(await readResults(out)).rows.values()]));
    return 0;
  }
  mkdirSync(dirname(out), { recursive: true });
  if (positionals[0] === 'leak') {
    const samples = await leak(root, Number(values.completions ?? 500));
    console.table(samples);
    writeFileSync(out, samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
    return 0;
  }
  const done = await openResults(out, {
    ...{ bench: 'editor-latency', model: MODEL, version: values.label ?? 'working tree' },
    ...{ processor: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() },
  });
  const seen = new Set([...done.values()].map(({ visit }) => visit));
  const left = visitsOf(sources(root), Number(values.rounds ?? 3)).filter(
    ({ name }) => !seen.has(name),
  );
  const minutes = Number(values.minutes ?? 5);
  const figures = await measure(root, left, minutes, (rows) => {
    for (const row of rows) appendFileSync(out, `${JSON.stringify(row)}\n`);
  });
  console.log(JSON.stringify(figures, null, 2));
  appendFileSync(out.replace(/\.jsonl$/, '-host.jsonl'), `${JSON.stringify(figures)}\n`);
  const { rows } = await readResults(out);
  console.log(summary([...rows.values()]));
  return 0;
}

function sources(root: string): SourceFile[] {
  return readdirSync(join(root, SOURCES))
    .filter((name) => name.endsWith('.txt') && name !== 'LICENCES.txt')
    .map((name) => ({
      name: name.replace(/\.txt$/, ''),
      text: readFileSync(join(root, SOURCES, name), 'utf8'),
    }));
}

/** Visits until the time is up; a visit's rows are handed over together. */
async function measure(
  root: string,
  visits: readonly Visit[],
  minutes: number,
  tell: (rows: readonly KeyRow[]) => void,
): Promise<HostFigures> {
  const end = performance.now() + minutes * 60_000;
  return await withDesk(root, 'observer', {}, async (desk) => {
    const { window, server, folder } = desk;
    server.write('first.py', 'def add(a, b):\n    return a\n');
    await window.untilStatus(/DynaMo/);
    await window.openFile('first.py');
    await window.type('    re');
    await window.untilStatus(/on the CPU/);
    writeFileSync(join(folder, 'begin'), '');
    for (const visit of visits) {
      if (performance.now() > end) break;
      const busy = await untilQuiet();
      const rows: KeyRow[] = [];
      await typeVisit(desk, visit, (row) => rows.push(row));
      tell(rows.map((row, index) => ({ ...row, index, busy })));
      console.log(`${visit.name}: ${rows.map(({ firstLineMs }) => firstLineMs ?? '-').join(' ')}`);
    }
    writeFileSync(join(folder, 'end'), '');
    return (await written(window, join(folder, 'figures.json'))) as HostFigures;
  });
}

/** So many completions in a row; what memory is held meanwhile. */
async function leak(root: string, completions: number): Promise<readonly MemorySample[]> {
  const env = { DYNAMO_BENCH_COMPLETIONS: String(completions) };
  return await withDesk(root, 'leak-host', env, async ({ window, folder }) => {
    const seconds = Math.ceil(LONGEST_S * completions) + 60;
    return (await written(window, join(folder, 'figures.json'), seconds)) as MemorySample[];
  });
}

/** A real VS Code, with a bundle of this bench in its extension host. */
async function withDesk<T>(
  root: string,
  host: 'observer' | 'leak-host',
  more: Readonly<Record<string, string>>,
  work: (desk: WatchedDesk) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'dynamo-bench-'));
  // What users have by default, not what tests want.
  const settings = { 'dynamo.deadline': 1000 };
  const env = { DYNAMO_BENCH_FOLDER: folder, ...more };
  const desk = await Desk.open({ settings, env });
  try {
    for (const { name, text } of visitsOf(sources(root), 1)) {
      if (host === 'leak-host') desk.server.write(name, text);
    }
    const tests = join(root, 'out', `${host}.cjs`);
    const window = await desk.window({ extension: root, tests });
    return await work({ window, server: desk.server, folder });
  } finally {
    await desk.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the extension host has written, once it has. */
async function written(window: EditorWindow, file: string, seconds = 60): Promise<unknown> {
  for (let waited = 0; !existsSync(file); waited += 1) {
    if (waited > seconds) throw new Error(`${file} did not come.`);
    await window.page.waitForTimeout(1000);
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}
