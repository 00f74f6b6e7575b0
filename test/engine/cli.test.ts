/** The command line as scripts and people meet it: a process with arguments, streams and a status. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { Precision } from '../../src/models/paths';
import { installed } from './installed';

const CLI = join(process.cwd(), 'dist', 'cli.js');
const MODEL = ['--model', 'smollm2-135m'];

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Input {
  readonly stdin?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

async function dynamo(args: readonly string[], { stdin = '', env }: Input = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env } });
  child.stdin.on('error', () => undefined); // It need not read to the end.
  child.stdin.end(stdin);
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    closed,
  ]);
  return { status, stdout, stderr };
}

/** Runs to success, silently. */
async function output(args: readonly string[], input?: Input): Promise<string> {
  const { status, stdout, stderr } = await dynamo(args, input);
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout;
}

async function fails(
  args: readonly string[],
  expected: { readonly status: 1 | 2; readonly message: RegExp },
  input?: Input,
): Promise<void> {
  const { status, stdout, stderr } = await dynamo(args, input);
  assert.match(stderr, /^[^\n]+\n$/, 'one line');
  assert.match(stderr, expected.message);
  assert.doesNotMatch(stderr, /\bat .+:\d+:\d+|Error:/, 'no stack');
  assert.equal(stdout, '');
  assert.equal(status, expected.status);
}

type Json = Readonly<Record<string, unknown>>;

const parseLines = (text: string): Json[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);

describe('the command line', () => {
  let folder: string;
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'dynamo-cli-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  describe('used badly', () => {
    for (const [name, args] of [
      ['an unknown command', ['compelte']],
      ["a command that only JavaScript's objects know", ['constructor']],
      ['no position', ['complete']],
      ['a position without column', ['complete', 'a.py:1']],
      ['line 0', ['complete', 'a.py:0:1']],
      ['two positions', ['complete', 'a.py:1:1', 'b.py:1:1']],
      ['a file for JSONL', ['complete', '--jsonl', 'a.py:1:1']],
      ['an unknown option', ['complete', '--fast', 'a.py:1:1']],
      ['an unknown mode', ['complete', '--mode', 'greedy', 'a.py:1:1']],
      ['epsilon above 1', ['complete', '--epsilon', '1.5', 'a.py:1:1']],
      ['no tokens', ['complete', '--max-tokens', '0', 'a.py:1:1']],
      ['no prompt', ['generate']],
      ['two prompts', ['generate', 'a', 'b']],
      ['no subcommand', ['models']],
      ['nothing to remove', ['models', 'remove']],
      ['a flag of another subcommand', ['models', 'list', '--from', 'x']],
      ['a model to list', ['models', 'list', 'smollm2-135m']],
      ['an argument of bench', ['bench', 'smollm2-135m']],
    ] as const) {
      it(`says so for ${name}`, () => fails(args, { status: 2, message: /dynamo --help/ }));
    }

    it('shows its usage on standard error without arguments, on standard output on request', async () => {
      const usage = await output(['--help']);
      assert.match(usage, /dynamo complete FILE:LINE:COLUMN/);
      assert.equal(await output(['complete', '--help']), usage);
      assert.deepEqual(await dynamo([]), { status: 2, stdout: '', stderr: usage });
    });
  });

  describe('given what cannot be completed', () => {
    const refuses = (target: string, message: RegExp) =>
      fails(['complete', ...MODEL, target], { status: 1, message });

    it('says so for a position outside the file', async () => {
      const path = file('two.py', 'x = 1\n');
      await refuses(`${path}:9:1`, /has 2 lines; there is no line 9\./);
      await refuses(`${path}:1:9`, /has 5 characters in line 1; there is no column 9\./);
    });

    it('says so for a binary file, invalid UTF-8 and an empty file', async () => {
      await refuses(`${file('a.png', Uint8Array.of(1, 0, 2))}:1:1`, /is a binary file/);
      await refuses(`${file('a.py', Uint8Array.of(0x78, 0xff))}:1:1`, /is not valid UTF-8/);
      await refuses(`${file('b.py', '')}:1:1`, /is empty/);
    });

    it('says so for a file of 50 MB, a folder and a missing file', async () => {
      await refuses(`${file('c.py', new Uint8Array(50 * 2 ** 20).fill(97))}:1:1`, /has 50 MB/);
      await refuses(`${folder}:1:1`, /is a folder/);
      await refuses(`${join(folder, 'missing.py')}:1:1`, /does not exist/);
    });

    it('keeps control characters of a name from the terminal', async () => {
      await refuses('\u001b[31m\nno.py:1:1', /^␛\[31m no\.py does not exist\.$/m);
    });

    it('says so for a model that is unknown or not installed', async () => {
      const target = `${file('d.py', 'x = 1\n')}:2:1`;
      await fails(['complete', '--model', 'gpt', target], { status: 1, message: /gpt.*smollm2/ });
      const env = { DYNAMO_HOME: folder };
      const message =
        /smollm2-135m is not installed\. Run: node dist\/cli\.js models install smollm2-135m\n/;
      await fails(['complete', ...MODEL, target], { status: 1, message }, { env });
      await fails(['generate', ...MODEL, 'Hello'], { status: 1, message }, { env });
    });
  });

  describe('complete', () => {
    let target: string;
    before(() => {
      target = `${file('sky: 2.md', 'The capital of France is Paris. The capital of Italy is\n')}:1:56`;
    });
    const options = [...MODEL, '--mode', 'ar', '--max-tokens', '8'];

    it('prints what the editor would show, and everything about it as JSON', async () => {
      const text = await output(['complete', ...options, target]);
      assert.match(text, /^ Rome\b/);
      const json = JSON.parse(await output(['complete', ...options, '--json', target])) as Json;
      assert.equal(`${String(json.text)}\n`, text);
      assert.equal(json.model, 'smollm2-135m');
      assert.equal(json.mode, 'ar');
      assert.equal(typeof json.prefillMs, 'number');
      assert.equal(typeof json.decodeMs, 'number');
      assert.equal(typeof json.stopReason, 'string');
      const steps = json.steps as { n: number; source: string; confidence: number }[];
      assert.equal(
        steps.reduce((sum, { n }) => sum + n, 0),
        json.tokens,
      );
      for (const { source, confidence } of steps) {
        assert.equal(source, 'base');
        assert.ok(confidence > 0 && confidence <= 1);
      }
    });

    it('shows its details without colours in a pipe', async () => {
      const text = await output(['complete', ...options, '--details', target]);
      assert.match(text, /The capital of Italy is Rome/);
      assert.match(text, /tokens\/s/);
      assert.match(text, /^ +1 +1 +base +\d+ % +prefill/m);
      assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
    });
  });

  describe('complete --jsonl', () => {
    const jsonl = async (lines: readonly (string | Json)[]): Promise<Json[]> => {
      const stdin = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
      const options = [...MODEL, '--mode', 'ar', '--max-tokens', '4'];
      return parseLines(
        await output(['complete', '--jsonl', ...options], { stdin: stdin.join('\n') }),
      );
    };

    it('answers nothing with nothing', async () => {
      assert.equal(await output(['complete', '--jsonl']), '');
      assert.equal(await output(['complete', '--jsonl'], { stdin: '\n \r\n' }), '');
    });

    it('answers every line in order, bad ones with an error', async () => {
      const good = { prefix: 'One, two, three, four,' };
      const results = await jsonl([
        { id: 0, ...good },
        '{"id": 1, "prefix": "cut of',
        { id: 'two', ...good, suffix: '', language: 'markdown', mode: 'exact', epsilon: 0 },
        '',
        { id: 3, prefix: 7 },
        { prefix: 'no id' },
        '[1, 2]',
        'null',
        { id: 4, ...good, model: 'gpt' },
        { id: 5, ...good, model: 'qwen2.5-coder-0.5b\u0000' },
        { id: 6, ...good, mode: 'greedy' },
        { id: 7, ...good, epsilon: 1.1 },
        { id: 8, ...good, maxTokens: 0 },
        { id: 9, ...good, raw: 'yes' },
        { id: 10, ...good, raw: true, multiline: true, extra: 'ignored' },
        { id: '', prefix: '' },
      ]);
      assert.deepEqual(
        results.map(({ id }) => id),
        [0, null, 'two', 3, null, null, null, 4, 5, 6, 7, 8, 9, 10, ''],
      );
      const errors: [number, RegExp][] = [
        [1, /not JSON/],
        [3, /^prefix: /],
        [4, /^id: /],
        [5, /^The task: /],
        [6, /^The task: /],
        [7, /gpt.*smollm2-135m/],
        [8, /qwen2\.5-coder-0\.5b/],
        [9, /^mode: /],
        [10, /^epsilon: /],
        [11, /^maxTokens: /],
        [12, /^raw: /],
      ];
      for (const [index, message] of errors) {
        assert.deepEqual(Object.keys(results[index] ?? {}), ['id', 'error']);
        assert.match(String(results[index]?.error), message);
      }
      for (const index of [0, 2, 13, 14]) assert.equal(results[index]?.error, undefined);
      assert.match(String(results[0]?.text), /^ five\b/);
      assert.equal(results[2]?.text, results[0]?.text);
      assert.equal(results[13]?.tokens, 4);
      assert.match(String(results[13]?.text), /^ five\b/);
    });

    it('takes any text, with line separators that only JavaScript knows', async () => {
      const [odd, bom, again] = await jsonl([
        `\ufeff{"id": "\u2028", "prefix": "中文 😀 \u2028\u2029\u0085 naïve"}`,
        { id: 2, prefix: '\u0000\ud800\u001b[31m' },
        { id: 3, prefix: 'x'.repeat(100_000) },
      ]);
      assert.equal(odd?.id, '\u2028');
      for (const result of [odd, bom, again]) assert.equal(typeof result?.text, 'string');
    });

    it('takes a megabyte on each side, of which the end and the beginning count', async () => {
      const prefix = `${'filler text without any meaning. '.repeat(32_768)}\n\nOne, two, three, four,`;
      const [long, short] = await jsonl([
        { id: 1, prefix, suffix: '\n'.repeat(2 ** 20) },
        { id: 2, prefix },
      ]);
      assert.match(String(long?.text), /^ five/);
      assert.equal(long?.text, short?.text);
      assert.ok(Number(long?.promptTokens) <= 1024 + 256 + 3);
    });

    it('says for each line that its model is not installed', async () => {
      const stdin = '{"id": 1, "prefix": "x"}\n{"id": 2, "prefix": "y"}\n';
      const env = { DYNAMO_HOME: folder };
      const results = parseLines(await output(['complete', '--jsonl', ...MODEL], { stdin, env }));
      assert.deepEqual(
        results.map(({ id }) => id),
        [1, 2],
      );
      for (const { error } of results) assert.match(String(error), /is not installed\. Run: /);
    });

    it('goes back to a model after another one could not be loaded', async function () {
      if (process.platform === 'win32') this.skip(); // Links need a privilege there.
      const env = { DYNAMO_HOME: await homeWithDamagedCoder(join(folder, 'damaged')) };
      const lines = [1, 2, 3, 4].map((id) => {
        const model = id % 2 === 1 ? 'smollm2-135m' : 'qwen2.5-coder-0.5b';
        return JSON.stringify({ id, prefix: 'One, two, three, four,', maxTokens: 4, model });
      });
      const args = ['complete', '--jsonl', '--mode', 'ar'];
      const results = parseLines(await output(args, { stdin: lines.join('\n'), env }));
      assert.match(String(results[0]?.text), /^ five\b/);
      assert.match(String(results[1]?.error), /damaged/);
      assert.equal(results[2]?.text, results[0]?.text);
      assert.match(String(results[3]?.error), /damaged/);
    });

    it('ends quietly when its reader does', async () => {
      const child = spawn(process.execPath, [CLI, 'complete', '--jsonl', ...MODEL]);
      const ended = ending(child);
      const line = `${JSON.stringify({ id: 1, prefix: 'One, two,', maxTokens: 2 })}\n`;
      child.stdin.on('error', () => undefined);
      child.stdin.end(line.repeat(50));
      await once(child.stdout, 'data');
      child.stdout.destroy();
      assert.deepEqual(await ended, { status: 0, signal: null, stderr: '' });
    });
  });

  describe('generate', () => {
    const options = ['generate', ...MODEL, '--mode', 'ar', '--max-tokens', '6'];
    const PROMPT = 'One, two, three, four,';

    it('streams what follows a prompt, and tells the speed on standard error', async () => {
      const { status, stdout, stderr } = await dynamo([...options, PROMPT]);
      assert.equal(status, 0);
      assert.match(stdout, /^ five, six,.*\n$/s);
      assert.match(stderr, /^6 tokens in 6 steps .*tokens\/s · ended: maxTokens\n.*\n$/);
      const piped = await dynamo([...options, '-'], { stdin: PROMPT });
      assert.equal(piped.stdout, stdout);
      const json = JSON.parse(await output([...options, '--json', PROMPT])) as Json;
      assert.equal(`${String(json.text)}\n`, stdout);
    });

    it('answers an instruction', async () => {
      const args = ['generate', ...MODEL, '--chat', '--json', '--max-tokens', '32'];
      const question = 'What is the capital of France? Answer with one word.';
      const json = JSON.parse(await output([...args, question])) as Json;
      assert.match(String(json.text), /Paris/);
      assert.equal(json.stopReason, 'stopToken');
      assert.match(String(json.promptTail), /<\|im_start\|>assistant\n$/);
    });

    it('refuses an empty prompt and one that is too long', async () => {
      await fails([...options, ''], { status: 1, message: /The prompt is empty/ });
      await fails([...options, '-'], { status: 1, message: /The prompt is empty/ });
      const stdin = 'x'.repeat(2 ** 20);
      await fails(
        [...options, '-'],
        { status: 1, message: /1048576 characters; at most/ },
        { stdin },
      );
    });

    it('takes a prompt that looks like an option behind "--"', async () => {
      const { status, stdout } = await dynamo([...options, '--', '--help, -h: show this']);
      assert.equal(status, 0);
      assert.doesNotMatch(stdout, /dynamo complete/);
    });

    it('ends at an interrupt with what there is, and leaves no process behind', async function () {
      if (process.platform === 'win32') this.skip(); // There is no such signal to send.
      const args = [CLI, 'generate', ...MODEL, '--max-tokens', '2000', 'Once upon a time'];
      const child = spawn(process.execPath, args);
      const ended = ending(child);
      await once(child.stdout, 'data');
      const workers = childrenOf(child.pid ?? 0);
      const rest = readAll(child.stdout);
      child.kill('SIGINT');
      assert.deepEqual(await ended, { status: 1, signal: null, stderr: 'Interrupted.\n' });
      assert.match(await rest, /\n$/);
      if (process.platform === 'linux') assert.equal(workers.length, 1);
      for (const pid of workers) assert.throws(() => process.kill(pid, 0), /ESRCH/);
    });

    it('ends at an interrupt while the model is loading', async function () {
      if (process.platform === 'win32') this.skip();
      const child = spawn(process.execPath, [CLI, 'generate', ...MODEL, 'Once upon a time']);
      const ended = ending(child);
      while (process.platform === 'linux' && childrenOf(child.pid ?? 0).length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const workers = childrenOf(child.pid ?? 0);
      child.kill('SIGINT');
      assert.deepEqual(await ended, { status: 1, signal: null, stderr: 'Interrupted.\n' });
      for (const pid of workers) assert.throws(() => process.kill(pid, 0), /ESRCH/);
    });
  });

  describe('models', () => {
    it('lists the catalogue and what is installed', async () => {
      const rows = JSON.parse(await output(['models', 'list', '--json'])) as Json[];
      const installed = rows.find(({ id }) => id === 'smollm2-135m')?.installed;
      assert.deepEqual(installed, ['int8', 'fp32', 'fp16']);
      assert.equal(rows.filter((row) => row.default === true).length, 1);
      const table = await output(['models', 'list']);
      for (const { id } of rows) assert.ok(table.includes(String(id)));
      const env = { DYNAMO_HOME: join(folder, 'nothing') };
      const none = JSON.parse(await output(['models', 'list', '--json'], { env })) as Json[];
      assert.ok(none.every((row) => Array.isArray(row.installed) && row.installed.length === 0));
    });

    it('verifies what is installed', async () => {
      const { status, stdout } = await dynamo(['models', 'verify', 'smollm2-135m']);
      assert.equal(status, 0);
      assert.match(stdout, /^smollm2-135m \(int8\): as installed$/m);
      assert.match(stdout, /^smollm2-135m \(fp32\): as installed$/m);
      assert.match(stdout, /^smollm2-135m \(fp16\): as installed$/m);
    });

    /** A home with links to an installation's files, each of which can be replaced. */
    async function linkedHome(precisions: readonly Precision[]): Promise<string> {
      const home = mkdtempSync(join(folder, 'home-'));
      for (const precision of precisions) {
        const { directory } = await installed('smollm2-135m', precision);
        const linked = join(home, 'models', 'smollm2-135m', precision);
        mkdirSync(linked, { recursive: true });
        for (const file of filesOf(directory)) {
          symlinkSync(join(directory, file), join(linked, file));
        }
      }
      return home;
    }

    it('names every damaged model, and goes on with the others', async () => {
      const home = await linkedHome(['int8', 'fp32']);
      const tokenizer = join(home, 'models', 'smollm2-135m', 'int8', 'tokenizer.json');
      rmSync(tokenizer);
      writeFileSync(tokenizer, '{}');
      const { status, stdout, stderr } = await dynamo(['models', 'verify'], {
        env: { DYNAMO_HOME: home },
      });
      assert.equal(status, 1);
      assert.match(stderr, /smollm2-135m \(int8\) is damaged: tokenizer\.json has changed/);
      assert.match(stdout, /^smollm2-135m \(fp32\): as installed$/m);
      assert.doesNotMatch(stdout, /int8/);
    });

    it('removes the precision that is named, or all', async () => {
      const home = await linkedHome(['int8', 'fp32']);
      const env = { DYNAMO_HOME: home };
      const left = () =>
        readdirSync(join(home, 'models', 'smollm2-135m')).filter((name) => !name.startsWith('.'));
      await output(['models', 'remove', 'smollm2-135m', '--precision', 'fp32'], { env });
      assert.deepEqual(left(), ['int8']);
      await output(['models', 'remove', 'smollm2-135m'], { env });
      assert.deepEqual(left(), []);
      assert.ok(
        (await installed('smollm2-135m', 'fp32')).directory,
        'what was linked is still there',
      );
    });

    it('says so when there is nothing to verify or remove', async () => {
      const env = { DYNAMO_HOME: join(folder, 'nothing') };
      const status = 1;
      const missing = /smollm2-135m is not installed/;
      await fails(['models', 'verify'], { status, message: /No model is installed/ }, { env });
      await fails(['models', 'verify', 'smollm2-135m'], { status, message: missing }, { env });
      await fails(['models', 'remove', 'smollm2-135m'], { status, message: missing }, { env });
      for (const command of ['install', 'verify', 'remove']) {
        await fails(['models', command, 'gpt'], { status, message: /gpt.*smollm2-135m/ }, { env });
      }
    });

    it('installs nothing twice', async () => {
      const args = ['models', 'install', 'smollm2-135m'];
      const again = await dynamo(args);
      assert.deepEqual([again.status, again.stderr], [0, 'smollm2-135m is installed already.\n']);
      assert.equal(await output([...args, '--if-missing']), '');
    });
  });

  it('says which GPUs there are, or why there are none', async () => {
    const said = await output(['gpu', 'status'], { env: { DYNAMO_HOME: join(folder, 'no-gpu') } });
    assert.match(
      said,
      /^(?:(?:CUDA|DirectML), device \d+: driver .+\n)+$|^No GPU can be used: .+\.\n$/,
    );
    for (const args of [[], ['fly'], ['status', 'now'], ['install', '--all']]) {
      await fails(['gpu', ...args], { status: 2, message: /./ });
    }
  });

  it('fails when its output does', async function () {
    if (process.platform !== 'linux') this.skip(); // Others have no disk that is always full.
    const full = openSync('/dev/full', 'w');
    const args = [CLI, 'models', 'list'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', full, 'pipe'] });
    const { status, stderr } = await ending(child);
    assert.equal(status, 1);
    assert.match(stderr, /^The output failed: .*no space.*\n$/);
  });
});

/** Names of an installation's own files: what may be prepared in folders beside them is made again. */
const filesOf = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  );

/** A data directory with the small model, and a coder whose tokenizer is not what it seems. */
async function homeWithDamagedCoder(home: string): Promise<string> {
  const small = await installed('smollm2-135m', 'int8');
  const coder = await installed('qwen2.5-coder-0.5b', 'int8');
  const link = (from: string, id: string) => {
    mkdirSync(join(home, 'models', id), { recursive: true });
    symlinkSync(from, join(home, 'models', id, 'int8'));
  };
  link(small.directory, small.id);
  const damaged = join(home, 'coder');
  mkdirSync(damaged);
  for (const name of filesOf(coder.directory)) {
    const path = join(coder.directory, name);
    if (path === coder.tokenizer) {
      writeFileSync(join(damaged, name), Buffer.alloc(statSync(path).size, ' '));
    } else if (path === coder.weights) symlinkSync(path, join(damaged, name));
    else copyFileSync(path, join(damaged, name));
  }
  link(damaged, coder.id);
  return home;
}

async function ending(child: ChildProcess) {
  const stderr = child.stderr ? readAll(child.stderr) : Promise.resolve('');
  const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return { status, signal, stderr: await stderr };
}

/** Where the system tells; elsewhere none. */
function childrenOf(parent: number): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        return new RegExp(`^PPid:\\t${parent}$`, 'm').test(status) ? [Number(pid)] : [];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}
