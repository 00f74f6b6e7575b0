import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  completedLine,
  matchesExactly,
  programOf,
  spanProgramOf,
} from '../../../bench/infilling/rule';
import { parseTasks, readTasks, selectTasks } from '../../../bench/infilling/tasks';

const DATA = 'bench/data/HumanEval-SingleLineInfilling.jsonl.gz';

const sample = {
  task_id: 'T/1',
  entry_point: 'one',
  prompt: 'def one():\n',
  suffix: '',
  canonical_solution: '    return 1\n',
  test: 'def check(f):\n    assert f() == 1\n',
};

describe('the task reader', () => {
  it('reads the 1,033 single-line tasks', async () => {
    const tasks = await readTasks(DATA);
    assert.equal(tasks.length, 1033);
    assert.equal(new Set(tasks.map(({ id }) => id)).size, 1033);
  });

  it('finds in every single-line task what the rule relies on', async () => {
    for (const { id, prefix, solution } of await readTasks(DATA)) {
      assert.ok(prefix.endsWith('\n'), `${id}: the hole begins a line`);
      assert.equal(`${completedLine(solution)}\n`, solution, `${id}: the hole is one whole line`);
    }
  });

  it('reads plain and compressed files alike', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tasks-'));
    try {
      const text = `${JSON.stringify(sample)}\n\n`;
      await writeFile(join(folder, 'a.jsonl'), text);
      await writeFile(join(folder, 'a.jsonl.gz'), gzipSync(text));
      const plain = await readTasks(join(folder, 'a.jsonl'));
      assert.equal(plain.length, 1);
      assert.deepEqual(await readTasks(join(folder, 'a.jsonl.gz')), plain);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('names the line that is not a task', () => {
    assert.throws(() => parseTasks(`${JSON.stringify(sample)}\n{`), /Line 2 .*not JSON/);
    assert.throws(() => parseTasks('{"task_id": "T/1"}'), /Line 1 .*entry_point/);
  });

  it('refuses an entry point that is not a name', () => {
    assert.throws(
      () => parseTasks(JSON.stringify({ ...sample, entry_point: 'one) or print(' })),
      /entry_point/,
    );
  });
});

describe('the choice of tasks', () => {
  it('is the one of training/oracle/tasks.py', async () => {
    const chosen = selectTasks(await readTasks(DATA), 4, 1);
    assert.deepEqual(
      chosen.map(({ id }) => id.replace('SingleLineInfilling/HumanEval/', '')),
      ['95/L2', '70/L4', '82/L4', '131/L6'],
    );
  });

  it('grows without reordering, whatever the order of the file', async () => {
    const tasks = await readTasks(DATA);
    const more = selectTasks([...tasks].reverse(), 50, 1);
    assert.deepEqual(selectTasks(tasks, 20, 1), more.slice(0, 20));
  });

  it('depends on the seed', async () => {
    const tasks = await readTasks(DATA);
    assert.notDeepEqual(selectTasks(tasks, 20, 1), selectTasks(tasks, 20, 2));
  });
});

describe('the line of a completion', () => {
  const check = (text: string, line: string): void => {
    it(`of ${JSON.stringify(text)} is ${JSON.stringify(line)}`, () =>
      assert.equal(completedLine(text), line));
  };
  check('    return 1\n    more', '    return 1');
  check('    return 1', '    return 1');
  check('\n  \n    return 1\nmore', '\n  \n    return 1');
  check('    return 1\r\nmore', '    return 1');
  check('\n\n', '\n\n');
  check('', '');
  check('x \nmore', 'x ');
});

describe('the tested program', () => {
  it('puts the line feed back, and each part on lines of its own', () => {
    const [task] = parseTasks(JSON.stringify({ ...sample, suffix: '# end' }));
    assert.ok(task);
    assert.equal(
      programOf(task, '    return 1'),
      'def one():\n    return 1\n# end\ndef check(f):\n    assert f() == 1\n\ncheck(one)\n',
    );
  });

  it('has a span as it is, for its hole may end within a line', () => {
    const [task] = parseTasks(JSON.stringify({ ...sample, suffix: ' + 1\n' }));
    assert.ok(task);
    assert.equal(
      spanProgramOf(task, '    return 0', false),
      'def one():\n    return 0 + 1\n\ndef check(f):\n    assert f() == 1\n\ncheck(one)\n',
    );
  });

  const [spanned] = parseTasks(
    JSON.stringify({ ...sample, suffix: ' + sum(values)\n    return total\n' }),
  );
  const programWith = (text: string) =>
    `def one():\n${text} + sum(values)\n    return total\n\ndef check(f):\n    assert f() == 1\n\ncheck(one)\n`;

  for (const [what, raw, interrupted, shown] of [
    [
      'ends a span where the model goes on with what follows',
      '    total = 1 + sum(values)\n    return total\n\n\nprint(one())',
      true,
      '    total = 1',
    ],
    [
      'leaves out the line that a span was cut off in',
      '    values = [1]\n    total = 1 if val',
      true,
      '    values = [1]',
    ],
    ['keeps it where the model ended', '    values = [1]\n    total = 1', false, undefined],
  ] as const) {
    it(what, () => {
      assert.ok(spanned);
      assert.equal(spanProgramOf(spanned, raw, interrupted), programWith(shown ?? raw));
    });
  }

  it('matches exactly but for white space at the end', () => {
    const [task] = parseTasks(JSON.stringify(sample));
    assert.ok(task);
    assert.equal(matchesExactly(task, '    return 1  '), true);
    assert.equal(matchesExactly(task, '  return 1'), false);
    assert.equal(matchesExactly(task, '    return 2'), false);
  });
});
