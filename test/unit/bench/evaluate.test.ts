import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEvaluator, DEFAULT_LIMITS, type Evaluator } from '../../../bench/infilling/evaluate';
import { completedLine, programOf } from '../../../bench/infilling/rule';
import { readTasks, selectTasks } from '../../../bench/infilling/tasks';

const RUNNER = 'bench/infilling/runner.py';

describe('the evaluator', function () {
  this.timeout(60_000);
  let evaluator: Evaluator;

  before(async function () {
    if (process.platform === 'win32') this.skip();
    evaluator = await createEvaluator(RUNNER);
  });

  const check = (name: string, program: string, verdict: string, detail: RegExp): void => {
    it(name, async () => {
      const result = await evaluator.evaluate(program);
      assert.equal(result.verdict, verdict, result.detail);
      assert.match(result.detail, detail);
    });
  };

  it('passes the own solution of a task and fails another line', async () => {
    const tasks = await readTasks('bench/data/HumanEval-SingleLineInfilling.jsonl.gz');
    for (const task of selectTasks(tasks, 3, 5)) {
      const own = await evaluator.evaluate(programOf(task, completedLine(task.solution)));
      assert.deepEqual(own, { verdict: 'passed', detail: '' }, task.id);
      const wrong = await evaluator.evaluate(programOf(task, '    return "wrong"'));
      assert.equal(wrong.verdict, 'failed', task.id);
    }
  });

  check('passes a program that runs to its end', 'x = 1\n', 'passed', /^$/);
  check('fails a failed assertion', 'assert 1 == 2, "no"\n', 'failed', /AssertionError: no/);
  check('fails what is not Python', 'def f(:\n', 'failed', /SyntaxError/);
  check('fails an early exit with 0', 'import sys\nsys.exit(0)\n', 'failed', /SystemExit/);
  check('fails a hard exit with 0', 'import os\nos._exit(0)\n', 'failed', /ended early/);
  check('fails a quit', 'quit()\n', 'failed', /SystemExit|NameError/);
  check('fails a crash', 'import os\nos.abort()\n', 'failed', /SIGABRT/);
  check(
    'counts nothing that is printed or written to the verdict pipe',
    'import os\nprint("passed" * 10)\nos.write(3, b"passed" * 100)\nos._exit(0)\n',
    'failed',
    /ended early/,
  );
  check(
    'counts no program that wrote to the verdict pipe on its way to the end',
    'import os\nos.write(3, b"passed")\n',
    'failed',
    /ended early/,
  );
  check('survives a flood of output', 'for _ in range(10**5): print("x" * 100)\n', 'passed', /^$/);
  check(
    'stops a memory hog',
    'x = []\nwhile True: x.append(bytearray(10**7))\n',
    'failed',
    /MemoryError/,
  );
  check('has nothing on standard input', 'assert input() == "x"\n', 'failed', /EOFError/);
  check('forbids writing files', 'open("x", "w")\n', 'failed', /PermissionError: writing/);
  check('forbids processes', 'import os\nos.system("true")\n', 'failed', /PermissionError/);
  check(
    'forbids connections',
    'import socket\nsocket.create_connection(("127.0.0.1", 9))\n',
    'failed',
    /PermissionError/,
  );
  check(
    'starts in an empty directory, without the environment',
    'import os\nassert os.listdir() == [] and "HOME" not in os.environ\n',
    'passed',
    /^$/,
  );

  it('kills a program that sleeps past the wall clock', async () => {
    const quick = await createEvaluator(RUNNER, { ...DEFAULT_LIMITS, wallMs: 1000 });
    assert.deepEqual(await quick.evaluate('import time\ntime.sleep(1000)\n'), {
      verdict: 'timeout',
      detail: 'wall clock',
    });
  });

  it('kills an infinite loop, even one that swallows every exception', async () => {
    const quick = await createEvaluator(RUNNER, { ...DEFAULT_LIMITS, cpuSeconds: 1 });
    const loop =
      'while True:\n    try:\n        while True: pass\n    except BaseException: pass\n';
    const result = await quick.evaluate(loop);
    assert.deepEqual(result, { verdict: 'timeout', detail: 'processor time' });
  });

  it('leaves no process behind', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runner-'));
    try {
      // A copy, so that the list of processes tells this test's own ones.
      const runner = join(folder, 'runner.py');
      await copyFile(RUNNER, runner);
      const quick = await createEvaluator(runner, { ...DEFAULT_LIMITS, wallMs: 1000 });
      const { verdict } = await quick.evaluate('import time\ntime.sleep(99)\n');
      assert.equal(verdict, 'timeout');
      const listed = spawnSync('ps', ['-A', '-o', 'args'], { encoding: 'utf8' });
      assert.ok(!(listed.stdout ?? '').includes(runner));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says at once that its runner is missing', () =>
    assert.rejects(createEvaluator('nowhere/runner.py'), /ENOENT/));
});
