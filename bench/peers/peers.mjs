// Installs the peer (once, into this folder) and runs the bench.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundled } from '../../scripts/bundled.mjs';
import { fail, npm } from '../../scripts/setup.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
if (process.platform !== 'linux' || process.arch !== 'x64') {
  fail('The peer bench runs on Linux on x64: it reads /proc, and names the peer’s package for it.');
}
const lock = createHash('sha256')
  .update(readFileSync(join(folder, 'package-lock.json')))
  .digest('hex');
const stamp = join(folder, 'node_modules', '.installed-lock');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  console.error('Installing node-llama-cpp …');
  // Not `npm ci`: it wants the packages of all platforms, which are optional, in the lock file.
  const options = ['--no-save', '--ignore-scripts', '--omit=optional', '--loglevel=error'];
  npm(['install', ...options], { cwd: folder });
  writeFileSync(stamp, lock);
}
const { main } = await bundled('bench/peers/main.ts');
process.exitCode = await main(process.argv.slice(2), folder);
