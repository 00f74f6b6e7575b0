/**
 * Gets a real VS Code and a browser to drive it with, once: VS Code as its server (the code-server
 * package, which contains it whole), the browser as the machine has it, or as Debian packages it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CODE_SERVER = '4.100.3'; // VS Code 1.100.3

const BROWSERS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

export interface Installed {
  /** Folder with out/server-main.js. */
  readonly vscode: string;
  /** Path of a Chromium. */
  readonly browser: string;
}

/** @throws when something is missing and cannot be installed; the message says what to do */
export function installVsCode(cache: string): Installed {
  return { vscode: vscodeServer(join(cache, 'vscode')), browser: browser() };
}

function vscodeServer(folder: string): string {
  const vscode = join(folder, 'node_modules', 'code-server', 'lib', 'vscode');
  const stamp = join(folder, `complete-${CODE_SERVER}`);
  if (existsSync(stamp)) return vscode;
  console.log(`  VS Code: installing code-server ${CODE_SERVER}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  npm(['install', `code-server@${CODE_SERVER}`, ...quiet], folder);
  npm(['install', '--omit=dev', ...quiet], vscode);
  writeLogger(vscode);
  writeFileSync(stamp, '');
  return vscode;
}

/**
 * VS Code logs through a native package that needs a compiler; without it nothing is written. The
 * same few functions in plain JavaScript take its place, so that tests can read the logs.
 */
function writeLogger(vscode: string): void {
  const lines = [
    `const { appendFileSync, mkdirSync } = require('node:fs');`,
    `const { dirname } = require('node:path');`,
    `const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];`,
    `class Logger {`,
    `  constructor(path) { this.path = path; this.level = 2; mkdirSync(dirname(path), { recursive: true }); }`,
    `  setLevel(level) { this.level = level; }`,
    `  getLevel() { return this.level; }`,
    `  clearFormatters() {} setPattern() {} flush() {} drop() {}`,
    `  write(level, text) { if (level >= this.level) appendFileSync(this.path, text); }`,
    `}`,
    `LEVELS.forEach((name, level) => { Logger.prototype[name] = function (text) { this.write(level, text); }; });`,
    `const create = (_name, path) => Promise.resolve(new Logger(path));`,
    `exports.setFlushOn = () => {};`,
    `exports.setLevel = () => {};`,
    `exports.shutdown = () => {};`,
    `exports.createRotatingLogger = create;`,
    `exports.createAsyncRotatingLogger = create;`,
  ];
  const file = join(vscode, 'node_modules', '@vscode', 'spdlog', 'index.js');
  writeFileSync(file, `${lines.join('\n')}\n`);
}

function browser(): string {
  const known = process.env['CHROMIUM'] ?? BROWSERS.find((path) => existsSync(path));
  if (known) return known;
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    console.log('  Chromium: installing the distribution’s package');
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium']);
    if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
  }
  throw new Error(
    'The editor tests need Chromium or Chrome. Install one, or set CHROMIUM to its path.',
  );
}

function npm(args: readonly string[], cwd: string): void {
  const self = process.env['npm_execpath'];
  if (self?.endsWith('.js')) run(process.execPath, [self, ...args], cwd);
  else run('npm', args, cwd);
}

function run(program: string, args: readonly string[], cwd?: string): void {
  const options = { ...(cwd && { cwd }), encoding: 'utf8' as const };
  const { status, stderr, error } = spawnSync(program, args, options);
  if (status !== 0) {
    throw new Error(`${program} ${args[0] ?? ''} failed: ${error?.message ?? stderr.slice(-2000)}`);
  }
}
