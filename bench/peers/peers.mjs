// Installs the peer (once, into this folder), bundles the bench into out/ and runs it.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
const bundle = join(folder, '../../out/peers.cjs');
await build({
  entryPoints: [join(folder, 'main.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
const { main } = createRequire(import.meta.url)(bundle);
process.exitCode = await main(process.argv.slice(2), folder);
