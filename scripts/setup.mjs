/**
 * Brings a fresh checkout to the point where it runs: dependencies and build. Needs Node and npm
 * alone; everything is skipped that is up to date.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const cli = join(root, 'dist', 'cli.js');

const OLDEST_NODE = 20;

/** Runs a program with the terminal's own streams; ends this process when it fails. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) fail(`${program} did not start: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Installs dependencies when the lock file changed, then bundles (well under a second). */
export function setUp() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    fail(`This is Node ${process.versions.node}; Node ${OLDEST_NODE} or newer is needed.`);
  }
  const stamp = join(root, 'node_modules', '.installed-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    fail(
      'node_modules is a link; installing would empty the folder that it names. Remove it first.',
    );
  }
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    console.error('Installing dependencies …');
    npm(['ci', '--no-progress', '--loglevel=error']);
    writeFileSync(stamp, lock);
  }
  run(process.execPath, ['esbuild.mjs']);
}

/** Runs npm, however this script itself was started. */
export function npm(args, options = {}) {
  // The addon's CPU libraries come in the package itself; its install script would only fetch CUDA.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const self = process.env.npm_execpath;
  if (self?.endsWith('.js')) run(process.execPath, [self, ...args], { env, ...options });
  else run('npm', args, { env, ...options });
}
