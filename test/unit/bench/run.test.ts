import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  askCommand,
  ownSolutions,
  parseAnswer,
  readCompletions,
  requestLine,
  type Answer,
} from '../../../bench/infilling/completer';
import type { Evaluator } from '../../../bench/infilling/evaluate';
import {
  openResults,
  parseResults,
  readResults,
  type ResultRow,
  type RunHeader,
} from '../../../bench/infilling/results';
import { main } from '../../../bench/infilling/main';
import { evaluateAll } from '../../../bench/infilling/run';
import { ownCommand } from '../../../bench/infilling/subject';
import { compareResults, describeComparison, summarize } from '../../../bench/infilling/summary';
import type { InfillingTask } from '../../../bench/infilling/tasks';
import { appendRow } from '../../../bench/results-file';

const OPTIONS = { order: 'prefix-first', maxTokens: 64, idleMs: 20_000 } as const;

const HEADER: RunHeader = {
  kind: 'infilling-run',
  version: 1,
  tasks: 'a.jsonl',
  seed: 1,
  order: 'suffix-first',
  maxTokens: 64,
  source: 'canonical',
};

function task(id: string): InfillingTask {
  return { id, entryPoint: 'f', prefix: 'p\n', suffix: 's\n', solution: `  ${id}\n`, test: '' };
}

function row(id: string, verdict: ResultRow['verdict'], exact = false): ResultRow {
  return { id, verdict, detail: '', line: id, exact };
}

async function collect(answers: AsyncIterable<Answer>): Promise<Answer[]> {
  const all: Answer[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

/** A completer in one line of JavaScript: `body` sees each request as `r` and writes with `say`. */
function completer(body: string): string[] {
  const script =
    'const say = (x) => console.log(JSON.stringify(x));' +
    "require('node:readline').createInterface({ input: process.stdin })" +
    `.on('line', (line) => { const r = JSON.parse(line); ${body} });`;
  return [process.execPath, '-e', script];
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'infilling-test-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('asking a completer', function () {
  this.timeout(60_000);
  const ten = Array.from({ length: 10 }, (_, i) => task(`t${i}`));

  it('sends the contract’s fields and the order', () => {
    assert.deepEqual(JSON.parse(requestLine(task('t'), OPTIONS)), {
      id: 't',
      prefix: 'p\n',
      suffix: 's\n',
      language: 'python',
      maxTokens: 64,
      raw: true,
      multiline: false,
      order: 'prefix-first',
    });
  });

  it('collects every answer in order', async () => {
    const command = completer('say({ id: r.id, text: r.order + r.id, tokens: 2, steps: [{}] });');
    const answers = await collect(askCommand(command, ten, OPTIONS));
    assert.deepEqual(
      answers.map((answer) => 'text' in answer && answer.text),
      ten.map(({ id }) => `prefix-first${id}`),
    );
    assert.deepEqual(answers[0], { id: 't0', text: 'prefix-firstt0', tokens: 2, steps: 1 });
  });

  it('passes an error on as the answer of its task', async () => {
    const command = completer(
      "say(r.id === 't1' ? { id: r.id, error: 'too long' } : { id: r.id, text: '' });",
    );
    const answers = await collect(askCommand(command, ten, OPTIONS));
    assert.deepEqual(answers[1], { id: 't1', error: 'too long' });
    assert.equal(answers.length, 10);
  });

  const refuses = (name: string, command: string[], message: RegExp, idleMs = 20_000): void => {
    it(`reports a completer that ${name}`, () =>
      assert.rejects(collect(askCommand(command, ten, { ...OPTIONS, idleMs })), message));
  };
  refuses('ends early', completer('process.exit(3);'), /exit code 3 after 0 of 10 tasks/);
  refuses('does not exist', ['/nowhere/completer'], /cannot start/);
  refuses('answers another task', completer("say({ id: 'x', text: '' });"), /answered x where t0/);
  refuses('writes something else', completer("console.log('loading');"), /not JSON: loading/);
  refuses('stays silent', completer(''), /said nothing for 500 ms/, 500);

  it('refuses an answer without text', () => {
    assert.throws(() => parseAnswer('{"id": "t"}'), /answer is not one/);
  });

  it('reads completions from a file and names the missing ones', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'c.jsonl');
      await writeFile(path, '{"id":"t1","text":"x","tokens":1,"stop":"line"}\n');
      const [first, second] = await collect(readCompletions(path, ten.slice(0, 2)));
      assert.ok(first && 'error' in first && first.id === 't0');
      assert.deepEqual(second, { id: 't1', text: 'x', tokens: 1, steps: undefined });
    }));
});

describe('what a command runs', () => {
  const root = process.cwd();
  for (const [command, flags] of [
    ['node dist/cli.js complete --jsonl', {}],
    ['node ./dist/cli.js complete --jsonl --model m --heads none', { model: 'm', heads: 'none' }],
    [
      `nice node ${join(root, 'dist/cli.js')} complete --precision fp32 --jsonl`,
      { precision: 'fp32' },
    ],
  ] as const) {
    it(`is told by its flags: ${command}`, () => {
      const { model, heads, precision } = ownCommand(command.split(' '), root) ?? {};
      assert.deepEqual(
        Object.entries({ model, heads, precision }).filter(([, value]) => value !== undefined),
        Object.entries(flags),
      );
    });
  }

  for (const command of [
    'other complete',
    'node dist/cli.js models list',
    'node /x/dist/cli.js complete',
  ]) {
    it(`is unknown of ${command}`, () =>
      assert.equal(ownCommand(command.split(' '), root), undefined));
  }

  it('has to be said of a command that is not this checkout’s', async () => {
    const errors: string[] = [];
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text: string | Uint8Array) => errors.push(String(text)) > 0;
    try {
      const args = ['run', '--out', 'never.jsonl', '--', 'other', 'complete'];
      assert.equal(await main(args, join(root, 'bench/infilling')), 2);
    } finally {
      process.stderr.write = write;
    }
    assert.match(errors.join(''), /--label NAME/);
  });
});

describe('a run', () => {
  const tasks = ['a', 'b', 'c', 'd', 'e'].map(task);

  it('evaluates every task, no more at a time than asked', async () => {
    let now = 0;
    let most = 0;
    const evaluator: Evaluator = {
      evaluate: async (program) => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setTimeout(resolve, 5));
        now -= 1;
        return { verdict: program.includes('  c\n') ? 'failed' : 'passed', detail: '' };
      },
    };
    const rows: ResultRow[] = [];
    const write = (value: ResultRow): Promise<void> => Promise.resolve(void rows.push(value));
    await evaluateAll(tasks, ownSolutions(tasks), evaluator, { jobs: 2, write });
    assert.equal(most, 2);
    assert.deepEqual(rows.map(({ id }) => id).sort(), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(
      rows.filter(({ verdict }) => verdict === 'failed').map(({ id, line }) => [id, line]),
      [['c', '  c']],
    );
    assert.ok(rows.every(({ exact }) => exact));
  });

  it('fails when an evaluation does', async () => {
    const evaluator: Evaluator = { evaluate: () => Promise.reject(new Error('no python')) };
    const write = (): Promise<void> => Promise.resolve();
    await assert.rejects(
      evaluateAll(tasks, ownSolutions(tasks), evaluator, { jobs: 2, write }),
      /no python/,
    );
  });
});

describe('a results file', () => {
  it('goes on where it stood, without its half-written last line', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'r.jsonl');
      assert.equal((await openResults(path, HEADER)).size, 0);
      await appendRow(path, row('a', 'passed'));
      await appendRow(path, row('b', 'error'));
      await appendFile(path, '{"id":"c","verd');
      const there = await openResults(path, HEADER);
      assert.deepEqual([...there.keys()], ['a', 'b']);
      await appendRow(path, row('b', 'failed'));
      assert.equal((await readFile(path, 'utf8')).includes('verd\n'), false);
      assert.equal((await readResults(path)).rows.get('b')?.verdict, 'failed');
    }));

  it('is not mixed with another run', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'r.jsonl');
      await openResults(path, HEADER);
      await assert.rejects(
        openResults(path, { ...HEADER, order: 'prefix-first' }),
        /order "suffix-first", not "prefix-first"/,
      );
    }));

  const MODEL = { id: 'm', precision: 'int8', trunkSha256: 't' } as const;
  const environment: NonNullable<RunHeader['environment']> = {
    ...{ processor: 'one', cores: 2, memoryGigabytes: 8, system: 'Linux', node: '20' },
    ...{ onnxruntime: '1', version: '0.1.0', commit: null, vectorExtensions: ['avx2'] },
  };
  const WHOLE: RunHeader = {
    ...HEADER,
    ...{ environment, label: 'mine', completionsSha256: 'c' },
    model: { ...MODEL, heads: 'shared', headsSha256: 'h' },
  };
  const { model } = WHOLE;
  for (const [what, found, message] of [
    ['other heads', { model: { ...MODEL, heads: 'shared', headsSha256: 'other' } }, /model/],
    ['another trunk', { model: { ...model, trunkSha256: 'other' } }, /model/],
    ['another label', { label: 'theirs' }, /label "theirs", not "mine"/],
    ['other completions of the same name', { completionsSha256: 'd' }, /completionsSha256/],
    [
      'a machine with other vector extensions',
      { environment: { ...environment, vectorExtensions: ['avx2', 'avx512_vnni'] } },
      /avx512_vnni/,
    ],
    ['what an older file does not tell', { environment: undefined, model: undefined }, /none/],
  ] as const) {
    it(`is not mixed with ${what}`, () =>
      inFolder(async (folder) => {
        const path = join(folder, 'r.jsonl');
        await writeFile(path, `${JSON.stringify({ ...WHOLE, ...found })}\n`);
        await assert.rejects(openResults(path, WHOLE), message);
        await readResults(path);
      }));
  }

  it('goes on when only the commit or the load changed', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'r.jsonl');
      await openResults(path, WHOLE);
      await openResults(path, {
        ...WHOLE,
        environment: { ...environment, commit: 'later', load: 3 },
      });
    }));

  it('is not overwritten when it is something else', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'notes.txt');
      await writeFile(path, 'my notes\n');
      await assert.rejects(openResults(path, HEADER), /not a results file/);
      assert.equal(await readFile(path, 'utf8'), 'my notes\n');
    }));

  it('names a damaged line', () => {
    assert.throws(
      () => parseResults(`${JSON.stringify(HEADER)}\n{"id":1}\n`, 'r.jsonl'),
      /r\.jsonl, line 2 is damaged/,
    );
  });
});

describe('the figures', () => {
  const results = (...rows: ResultRow[]): { header: RunHeader; rows: Map<string, ResultRow> } => ({
    header: HEADER,
    rows: new Map(rows.map((value) => [value.id, value])),
  });

  it('count errors and timeouts as not passed', () => {
    const { tasks, passRate, exactRate, timeouts, errors } = summarize([
      row('a', 'passed', true),
      row('b', 'failed'),
      row('c', 'timeout'),
      row('d', 'error'),
    ]);
    assert.deepEqual([tasks, passRate, exactRate, timeouts, errors], [4, 0.25, 0.25, 1, 1]);
  });

  it('compare common tasks alone', () => {
    const result = compareResults(
      results(row('a', 'passed'), row('b', 'failed'), row('x', 'passed')),
      results(row('b', 'passed'), row('a', 'passed'), row('y', 'failed'), row('z', 'failed')),
    );
    assert.deepEqual(
      [result.passed.tasks, result.passed.onlySecond, result.sameLine, result.unpaired],
      [2, 1, 2, 3],
    );
    assert.match(describeComparison(result), /passed, second minus first: \+50\.0 points/);
  });

  it('do not compare different task files', () => {
    const other = { ...results(row('a', 'passed')), header: { ...HEADER, tasks: 'b.jsonl' } };
    assert.throws(() => compareResults(results(row('a', 'passed')), other), /different tasks/);
  });
});
