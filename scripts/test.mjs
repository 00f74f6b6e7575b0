/**
 * `npm test`: sets up what the tests need, runs all of them, and ends with one line of totals.
 *
 *   npm test              everything
 *   npm test -- --unit    without models and Python: about a minute
 *
 * Models and Python packages go to .cache/ in the checkout (about 7.5 GB, almost half of it the fp32
 * weights that the int8 ones are checked against), so that nothing of the user's own is touched.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run, setUp } from './setup.mjs';

const cache = join(root, '.cache');
const bundles = join(root, 'out', 'test');
const env = { ...process.env, DYNAMO_HOME: join(cache, 'dynamo') };
const unitOnly = process.argv.includes('--unit');
const totals = { passed: 0, failed: 0 };

setUp();
await checkSources();
await mochaSuite('unit tests', [join('test', 'unit')]);
if (!unitOnly) {
  await bundle(['test/models.ts']);
  console.log('\nPreparing the models that the engine tests run on …');
  run(process.execPath, [join(bundles, 'test', 'models.cjs')], { env });
  await mochaSuite('engine tests, with real models', [join('test', 'engine')]);
  if (process.platform === 'linux')
    await mochaSuite('editor tests, in a real VS Code', [join('test', 'editor')]);
  else console.log('\nThe editor tests need Linux; they were not run.');
  pythonSuite();
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed > 0 ? 1 : 0;

/** Types, lint (with the import rules of ARCHITECTURE.md) and formatting count as a test each. */
async function checkSources() {
  console.log('\nsources');
  const bin = (name, script) => join(root, 'node_modules', name, script);
  const checks = {
    types: [bin('typescript', join('bin', 'tsc')), '--noEmit'],
    'types of the page': [
      bin('typescript', join('bin', 'tsc')),
      '--noEmit',
      '--project',
      join('media', 'thresholds'),
    ],
    lint: [bin('eslint', join('bin', 'eslint.js')), '.'],
    format: [bin('prettier', join('bin', 'prettier.cjs')), '--check', '--log-level=warn', '.'],
  };
  for (const [name, args] of Object.entries(checks)) {
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    count(name, status === 0);
  }
}

/** Bundles every test file below some folders and runs them with mocha in a process of its own. */
async function mochaSuite(name, folders) {
  console.log(`\n${name}`);
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => join(folder, file)),
  );
  await bundle(files);
  const report = join(bundles, `${name.split(' ')[0]}.json`);
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const reporter = join(root, 'scripts', 'mocha-reporter.cjs');
  rmSync(report, { force: true });
  spawnSync(
    process.execPath,
    [
      mocha,
      '--timeout=600000',
      `--reporter=${reporter}`,
      `--reporter-option=totals=${report}`,
      ...files.map((file) => join(bundles, file.replace(/\.ts$/, '.cjs'))),
    ],
    { cwd: root, stdio: 'inherit', env },
  );
  if (!existsSync(report)) return count(`${name}: mocha ended early`, false);
  const { passed, failed } = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += passed;
  totals.failed += failed;
}

async function bundle(files) {
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    entryPoints: files,
    outbase: '.',
    outdir: bundles,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode', 'onnxruntime-node', 'esbuild', 'playwright-core'],
    loader: { '.onnx': 'binary' },
    sourcemap: 'inline',
    logLevel: 'error',
  });
}

/** The training package's tests, in a virtual environment of their own. */
function pythonSuite() {
  console.log('\ntraining package');
  const python = pythonEnvironment(join(root, 'training', 'requirements-test.txt'));
  const report = join(bundles, 'pytest.xml');
  rmSync(report, { force: true });
  const args = ['-m', 'pytest', '-q', `--junitxml=${report}`, 'training/tests'];
  spawnSync(python, args, { cwd: root, stdio: 'inherit', env });
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const number = (key) => Number(new RegExp(` ${key}="(\\d+)"`).exec(xml)?.[1] ?? NaN);
  const failed = number('failures') + number('errors');
  if (Number.isNaN(failed)) return count('pytest ended early', false);
  totals.failed += failed;
  totals.passed += number('tests') - failed - number('skipped');
}

/** Path of the interpreter of an environment that has what `requirements` lists. */
function pythonEnvironment(requirements) {
  const folder = join(cache, 'python');
  const windows = process.platform === 'win32';
  const python = windows ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
  const stamp = join(folder, 'requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  const system = ['python3', 'python', 'py'].find(
    (name) =>
      spawnSync(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).status === 0,
  );
  if (!system) fail('Python 3.10 or newer is needed for the tests of training/.');
  mkdirSync(cache, { recursive: true });
  run(system, ['-m', 'venv', '--clear', folder]);
  run(python, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    requirements,
  ]);
  writeFileSync(stamp, wanted);
  return python;
}

function count(name, passed) {
  console.log(`  ${passed ? '✔' : '✘'} ${name}`);
  totals[passed ? 'passed' : 'failed']++;
}
