import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPython, pythonCommands } from '../../../src/models/wheels';

describe('findPython', function () {
  this.timeout(60_000);
  const here = process.cwd();
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'dynamo-wheels-'))));
  afterEach(async () => {
    process.chdir(here);
    await rm(folder, { recursive: true });
  });

  it('does not run a module pip of the folder that it is called in', async function () {
    const marker = join(folder, 'it-ran');
    await mkdir(join(folder, 'pip'));
    for (const file of ['__init__.py', '__main__.py']) {
      const mark = `open(${JSON.stringify(marker)}, 'w').close()\n`;
      await writeFile(join(folder, 'pip', file), mark);
    }
    process.chdir(folder);
    const python = await findPython(pythonCommands, undefined).catch(() => undefined);
    assert.ok(!existsSync(marker));
    if (python === undefined) this.skip(); // There is none here.
  });

  it('runs pip in an empty folder of its own, which goes again', async () => {
    const script = join(folder, 'pip.cjs');
    await writeFile(
      script,
      `const { readdirSync, writeFileSync } = require('node:fs');
       const { PYTHONSAFEPATH: safe } = process.env;
       const seen = { folder: process.cwd(), files: readdirSync('.'), safe };
       writeFileSync(__dirname + '/seen.json', JSON.stringify(seen));`,
    );
    process.chdir(folder);
    await findPython([[process.execPath, script]], undefined);
    const text = await readFile(join(folder, 'seen.json'), 'utf8');
    const seen = JSON.parse(text) as { folder: string; files: string[]; safe: string };
    assert.deepEqual({ ...seen, folder: '' }, { folder: '', files: [], safe: '1' });
    assert.ok(!existsSync(seen.folder));
  });
});
