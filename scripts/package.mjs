/**
 * `npm run package [-- --target linux-x64]`: a VSIX for one platform, with that platform's ONNX
 * Runtime, the suite of models without fp32 graphs, and the notices of what is bundled.
 *
 * What goes in is copied to out/package first and named here, file by file: nothing else gets in.
 */
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, root, run, setUp } from './setup.mjs';

const TARGETS = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

const { values } = parseArgs({ options: { target: { type: 'string' } } });
const target = values.target ?? `${process.platform}-${process.arch}`;
if (!TARGETS.includes(target))
  fail(`There is no package for ${target}; choose ${TARGETS.join(', ')}.`);

setUp();
const stage = join(root, 'out', 'package');
rmSync(stage, { recursive: true, force: true });
const copy = (from, to = from) => cpSync(join(root, from), join(stage, to), { recursive: true });

for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) copy(file);
for (const file of ['extension.js', 'web.js', 'worker.js', 'thresholds.js', 'thresholds.css']) {
  if (existsSync(join(root, 'dist', file))) copy(join('dist', file));
}
copy('media/icon.png');
copy('media/walkthrough');
if (existsSync(join(root, 'docs'))) copy('docs');
copyModels();
copyRuntime();
writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
writeFileSync(join(stage, 'THIRD_PARTY_NOTICES.txt'), notices());

const vsix = join(root, `dynamo-completion-${target}.vsix`);
rmSync(vsix, { force: true });
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
run(
  process.execPath,
  [
    join(root, 'node_modules', '@vscode', 'vsce', 'vsce'),
    'package',
    '--no-dependencies',
    ...['--target', target, '--out', vsix],
    // Links to pictures are rewritten for the Marketplace once package.json says where they are.
    ...(repository ? [] : ['--allow-missing-repository', '--no-rewrite-relative-links']),
  ],
  { cwd: stage },
);
console.log(`${vsix}: ${(statSync(vsix).size / 1e6).toFixed(1)} MB`);

/** The suite as an installation reads it: int8 for the CPU, fp16 for GPUs. */
function copyModels() {
  const wanted = (name) => !name.includes('fp32');
  for (const path of readdirSync(join(root, 'models'), { recursive: true })) {
    const from = join('models', String(path));
    if (statSync(join(root, from)).isFile() && wanted(from)) copy(from);
  }
}

/** Beside the engine's bundle, where Node finds it; its install script and other platforms stay out. */
function copyRuntime() {
  const [platform, arch] = target.split('-');
  const modules = join('dist', 'node_modules');
  for (const file of ['package.json', 'dist', join('bin', 'napi-v6', platform, arch)]) {
    copy(join('node_modules', 'onnxruntime-node', file), join(modules, 'onnxruntime-node', file));
  }
  for (const file of ['package.json', join('dist', 'cjs')]) {
    copy(
      join('node_modules', 'onnxruntime-common', file),
      join(modules, 'onnxruntime-common', file),
    );
  }
  for (const path of readdirSync(join(stage, modules), { recursive: true })) {
    if (/\.(?:map|d\.ts)$/.test(String(path))) rmSync(join(stage, modules, String(path)));
  }
  // What `dynamo gpu install` linked there is a machine's own, and large.
  const libraries = join(stage, modules, 'onnxruntime-node', 'bin', 'napi-v6', platform, arch);
  for (const name of readdirSync(libraries)) {
    if (name === 'cuda' || name.startsWith('libonnxruntime_providers_')) {
      rmSync(join(libraries, name), { recursive: true });
    }
  }
}

/** The manifest without what only development needs. */
function manifest() {
  const content = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const key of ['private', 'bin', 'scripts', 'dependencies', 'devDependencies']) {
    delete content[key];
  }
  content.engines = { vscode: content.engines.vscode };
  content.files = ['**'];
  return content;
}

/** Licences of the packages whose code is in the bundles, and of the runtime. */
function notices() {
  const names = new Set(['onnxruntime-node', 'onnxruntime-common']);
  for (const file of readdirSync(join(root, 'dist'))) {
    if (!file.endsWith('.map') || file.startsWith('cli')) continue;
    const { sources } = JSON.parse(readFileSync(join(root, 'dist', file), 'utf8'));
    for (const source of sources) {
      const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source);
      if (found) names.add(found[1]);
    }
  }
  const parts = [...names].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${license}`;
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `DynaMo contains these packages.\n\n${parts.join(`\n${'-'.repeat(72)}\n\n`)}`;
}
