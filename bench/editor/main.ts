/**
 * `npm run bench:editor -- run|summary --out FILE`: from a key to grey text in a real VS Code, with the
 * real 0.5B model. Stops after `--minutes` and goes on where it stood when it is run again.
 */
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { mkdirSync } from 'node:fs';
import { installVsCode } from '../../test/editor/harness/install';
import { EditorServer } from '../../test/editor/harness/server';
import { EditorWindow, launchBrowser } from '../../test/editor/harness/window';
import type { HostFigures } from './observer';
import { openResults, readResults, type KeyRow } from './rows';
import { summary } from './summary';
import { typeVisit } from './typing';
import { visitsOf, type SourceFile, type Visit } from './visits';

const SOURCES = join('training', 'oracle', 'heldout');
const MODEL = 'qwen2.5-coder-0.5b';

export async function main(args: readonly string[], root: string): Promise<number> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: text, rounds: text, minutes: text, label: text },
  });
  const out = values.out ?? join(root, 'out', 'editor-latency.jsonl');
  if (positionals[0] === 'summary') {
    console.log(summary([...(await readResults(out)).rows.values()]));
    return 0;
  }
  mkdirSync(dirname(out), { recursive: true });
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
  const { vscode, browser: path } = installVsCode(join(root, '.cache'));
  const folder = mkdtempSync(join(tmpdir(), 'dynamo-bench-'));
  // What users have by default, not what tests want.
  const settings = { 'dynamo.deadline': 1000 };
  const env = { DYNAMO_BENCH_FOLDER: folder };
  const server = await EditorServer.start({ vscode, settings, env });
  const browser = await launchBrowser(path);
  try {
    server.write('first.py', 'def add(a, b):\n    return a\n');
    const tests = join(root, 'out', 'observer.cjs');
    const window = await EditorWindow.open(browser, server, { extension: root, tests });
    await window.untilStatus(/DynaMo/);
    await window.openFile('first.py');
    await window.type('    re');
    await window.untilStatus(/on the CPU/);
    writeFileSync(join(folder, 'begin'), '');
    for (const visit of visits) {
      if (performance.now() > end) break;
      const rows: KeyRow[] = [];
      await typeVisit({ window, server, folder }, visit, (row) => rows.push(row));
      tell(rows.map((row, index) => ({ ...row, index })));
      console.log(`${visit.name}: ${rows.map(({ firstLineMs }) => firstLineMs ?? '-').join(' ')}`);
    }
    writeFileSync(join(folder, 'end'), '');
    const file = join(folder, 'figures.json');
    await window.until(
      'figures',
      () => existsSync(file),
      (there) => there,
    );
    return JSON.parse(readFileSync(file, 'utf8')) as HostFigures;
  } finally {
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
