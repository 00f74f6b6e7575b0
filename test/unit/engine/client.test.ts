import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { Engine, type EngineOptions, type EngineState } from '../../../src/engine/client';
import { EngineError, type ErrorCode } from '../../../src/engine/errors';
import { PROCESS_TIMING } from '../../../src/engine/process';
import { LIMITS, type CompletionRequest, type ModelFiles } from '../../../src/engine/protocol';
import { RESTART_LIMITS, RestartPolicy } from '../../../src/engine/restart-policy';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import { SCRIPTED_MODEL } from '../../fixtures/scripted-model';

const request = (prefix: string, changes: Partial<CompletionRequest> = {}): CompletionRequest => ({
  prefix,
  suffix: '',
  language: 'plaintext',
  multiline: 'auto',
  raw: false,
  maxTokens: 8,
  mode: 'ar',
  epsilon: 1,
  ...changes,
});

const generation = (prompt: string) =>
  ({ prompt, chat: false, maxTokens: 8, mode: 'ar', epsilon: 1 }) as const;

const fails = (code: ErrorCode, message = /./) => {
  return (error: unknown) => {
    assert.ok(error instanceof EngineError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
};

describe('Engine', function () {
  this.timeout(20_000);
  let worker: BuiltFixture;
  let parent: BuiltFixture;
  const engines: Engine[] = [];

  before(() => {
    worker = buildFixture('test/fixtures/scripted-worker.ts');
    parent = buildFixture('test/fixtures/scripted-parent.ts');
  });
  after(() => {
    worker.remove();
    parent.remove();
  });
  afterEach(() => Promise.all(engines.splice(0).map((engine) => engine.dispose())));

  /** An engine that restarts at once and has a short patience. */
  function create(options: Partial<EngineOptions> = {}): Engine {
    const engine = new Engine({
      worker: worker.path,
      policy: new RestartPolicy({ ...RESTART_LIMITS, firstDelayMs: 1 }),
      timing: { ...PROCESS_TIMING, ping: 50, hang: 500, hangLoading: 1000, stall: 1500 },
      ...options,
    });
    engines.push(engine);
    return engine;
  }

  async function loaded(options: Partial<EngineOptions> = {}): Promise<Engine> {
    const engine = create(options);
    await engine.load(SCRIPTED_MODEL);
    return engine;
  }

  it('loads, completes, generates, measures', async () => {
    const engine = create();
    assert.equal((await engine.load(SCRIPTED_MODEL)).id, 'scripted');
    assert.equal((await engine.complete(request('hello'))).text, 'echo hello');
    const pieces: string[] = [];
    const { text } = await engine.generate(generation('hello'), (step) => pieces.push(step.text));
    assert.equal(text, 'echo hello');
    assert.deepEqual(pieces, ['one ', 'two']);
    const measured = await engine.measure({ rows: 1, context: 1, repeats: 1 });
    assert.deepEqual(measured.stepMs, [1]);
  });

  it('carries any text through', async () => {
    const engine = await loaded();
    const text = 'é\u{1F600}\u0000\ud800\r\n"\\\u2028'.repeat(1000);
    assert.equal((await engine.complete(request(text))).text, `echo ${text}`);
  });

  it('sends the text near the cursor of a document of any size', async () => {
    const engine = await loaded();
    const { text } = await engine.complete(
      request(`${'\u{1F600}'.repeat(500_000)}x`, { suffix: 'y'.repeat(1_000_000) }),
    );
    assert.match(text, /^echo \u{1F600}+x$/u, 'no half character');
    assert.ok(text.length <= LIMITS.text + 'echo '.length);
  });

  it('refuses requests that make no sense, and those without a model', async () => {
    const engine = create();
    await assert.rejects(engine.complete(request('hello')), fails('notLoaded'));
    await engine.load(SCRIPTED_MODEL);
    const wrong = request('hello', { maxTokens: -1 });
    await assert.rejects(engine.complete(wrong), fails('badRequest', /maxTokens/));
    await assert.rejects(engine.complete(request('refuse')), fails('badRequest', /refuses/));
    await assert.rejects(engine.complete(request('throw')), fails('model', /is broken/));
    assert.equal((await engine.complete(request('fine'))).text, 'echo fine');
  });

  it('says why a model cannot be loaded, and loads another', async () => {
    const engine = create();
    await assert.rejects(
      engine.load({ ...SCRIPTED_MODEL, id: 'missing' }),
      fails('model', /not there/),
    );
    await assert.rejects(engine.complete(request('x')), fails('model', /not there/));
    await engine.load(SCRIPTED_MODEL);
    assert.equal((await engine.complete(request('x'))).text, 'echo x');
  });

  it('loads a model again that there was no memory for', async () => {
    const engine = create();
    await assert.rejects(
      engine.load({ ...SCRIPTED_MODEL, id: 'large at first' }),
      fails('memory', /not enough memory/),
    );
    assert.equal((await engine.complete(request('x'))).text, 'echo x');
  });

  describe('cancellation', () => {
    it('by the caller ends the request at once, running or waiting', async () => {
      const engine = await loaded();
      const abort = new AbortController();
      const running = engine.generate(generation('slow'), undefined, abort.signal);
      const waiting = engine.generate(generation('slow'), undefined, abort.signal);
      setTimeout(() => abort.abort(), 20);
      await assert.rejects(running, fails('cancelled'));
      await assert.rejects(waiting, fails('cancelled'));
      assert.equal((await engine.complete(request('next'))).text, 'echo next');
    });

    it('by a signal that is aborted already sends nothing', async () => {
      const engine = await loaded();
      const aborted = AbortSignal.abort();
      await assert.rejects(engine.complete(request('crash'), aborted), fails('cancelled'));
      assert.equal((await engine.complete(request('next'))).text, 'echo next');
    });

    it('by a newer completion ends the older', async () => {
      const engine = await loaded();
      const older = engine.complete(request('slow'));
      const newer = engine.complete(request('newer'));
      await assert.rejects(older, fails('cancelled', /newer completion/));
      assert.equal((await newer).text, 'echo newer');
    });

    it('works while the engine is loading', async () => {
      const engine = create();
      const loading = engine.load(SCRIPTED_MODEL);
      const abort = new AbortController();
      const waiting = engine.complete(request('x'), abort.signal);
      abort.abort();
      await assert.rejects(waiting, fails('cancelled'));
      await loading;
    });

    it('ends a request whose listener throws, with that error', async () => {
      const engine = await loaded();
      const failing = engine.generate(generation('slow'), () => {
        throw new Error('The listener is broken.');
      });
      await assert.rejects(failing, /listener is broken/);
      assert.equal((await engine.complete(request('next'))).text, 'echo next');
    });
  });

  it('ends a request that has taken longer than it may', async () => {
    const engine = await loaded({ deadlineGraceMs: 30 });
    await assert.rejects(
      engine.complete(request('mute', { deadlineMs: 30 })),
      fails('deadline', /in time/),
    );
  });

  describe('when the process', () => {
    const ends: [order: string, message: RegExp][] = [
      ['exit', /exit code 3/],
      ['crash', /SIGSEGV/],
      ['hang', /stopped answering/],
      ['mute', /no further/],
      ['garbage', /not JSON/],
      ['unknown message', /does not fit/],
      ['NaN', /does not fit/],
      ['endless message', /larger than/],
    ];
    for (const [order, message] of ends) {
      it(`does this: ${order}; every request ends, and the next one is served`, async () => {
        const engine = await loaded();
        const first = engine.generate(generation(order));
        const second = engine.generate(generation('waits'));
        await assert.rejects(first, fails('crashed', message));
        await assert.rejects(second, fails('crashed', message));
        assert.equal((await engine.complete(request('again'))).text, 'echo again');
      });
    }

    for (const [order, message] of [
      ['hang', /stopped answering/],
      ['mute', /no further/],
    ] as const) {
      it(`does this: ${order}; it is ended even if nobody waits for long`, async () => {
        const engine = await loaded({ deadlineGraceMs: 10 });
        // As an editor asks, key by key: whoever asks gives up long before the process does.
        for (let ended = false; !ended;) {
          ended = await engine.complete(request(order, { deadlineMs: 50 })).then(
            () => assert.fail(),
            (error: unknown) => error instanceof EngineError && message.test(error.message),
          );
        }
        assert.equal((await engine.complete(request('again'))).text, 'echo again');
      });
    }

    it('exits at random times, every request ends', async () => {
      const engine = await loaded({
        policy: new RestartPolicy({ ...RESTART_LIMITS, firstDelayMs: 1, maxCrashes: 1000 }),
      });
      let results = 0;
      let crashes = 0;
      for (let round = 0; round < 8; round++) {
        const asked = ['random exit', 'x', 'random exit', 'y'].map((prompt, index) =>
          index % 2 === 0 ? engine.generate(generation(prompt)) : engine.complete(request(prompt)),
        );
        for (const outcome of await Promise.allSettled(asked)) {
          if (outcome.status === 'fulfilled') results++;
          else {
            assert.ok(outcome.reason instanceof EngineError, String(outcome.reason));
            assert.ok(['crashed', 'cancelled'].includes(outcome.reason.code));
            crashes++;
          }
        }
      }
      assert.equal(results + crashes, 32);
      assert.ok(crashes > 0, 'the script did crash');
    });
  });

  describe('gives up with one clear error', () => {
    it('when loading the model always crashes, until another is loaded after a reset', async () => {
      const states: EngineState[] = [];
      const engine = create({ onState: (state) => states.push(state) });
      await assert.rejects(
        engine.load({ ...SCRIPTED_MODEL, id: 'deadly' }),
        fails('crashed', /code 5/),
      );
      await assert.rejects(
        (async () => {
          for (;;) await engine.complete(request('x')).catch(rethrowUnless('crashed'));
        })(),
        fails('stopped', /too often/),
      );
      assert.equal(states.filter(({ process }) => process.phase === 'starting').length, 5);
      await assert.rejects(engine.complete(request('x')), fails('stopped'));
      engine.reset();
      await engine.load(SCRIPTED_MODEL);
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
    });

    it('when the process does not start, and says what it said', async () => {
      const env = { ...process.env, SCRIPT: 'die at start' };
      await assert.rejects(
        create({ env }).load(SCRIPTED_MODEL),
        fails('stopped', /has no library/),
      );
    });

    it('when the worker is not there', async () => {
      const missing = create({ worker: '/nowhere/worker.js' });
      await assert.rejects(missing.load(SCRIPTED_MODEL), fails('stopped', /Cannot find module/));
    });

    it('when the process is of another version', async () => {
      const env = { ...process.env, SCRIPT: 'old version' };
      await assert.rejects(
        create({ env }).load(SCRIPTED_MODEL),
        fails('stopped', /another version/),
      );
    });

    it('when the process never answers the handshake', async () => {
      const env = { ...process.env, SCRIPT: 'silent start' };
      const timing = { ...PROCESS_TIMING, start: 100 };
      await assert.rejects(
        create({ env, timing }).load(SCRIPTED_MODEL),
        fails('stopped', /start in time/),
      );
    });
  });

  describe('on a GPU', () => {
    const CUDA = { name: 'cuda', device: 0 } as const;
    let notes: string[];
    beforeEach(() => (notes = []));

    /** A model on a GPU that does what `order` says, with the CPU behind it. */
    async function onGpu(order: string): Promise<Engine> {
      const engine = create({ onFallback: (note) => notes.push(note) });
      const model: ModelFiles = { ...SCRIPTED_MODEL, precision: 'fp16', graph: order };
      await engine.load(model, { provider: CUDA }, SCRIPTED_MODEL);
      return engine;
    }

    it('stays there while it works', async () => {
      const engine = await onGpu('fine');
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
      await assert.rejects(engine.complete(request('refuse')), fails('badRequest', /refuses/));
      assert.deepEqual(notes, []);
    });

    for (const order of ['lost', 'dies', 'hangs', 'is full']) {
      it(`that does this: ${order}, the CPU finishes the completion, and the next ones`, async () => {
        const engine = await onGpu(order);
        const gpu = engine.pid;
        const both = await Promise.all([
          engine.generate(generation('a')),
          engine.complete(request('b')),
        ]);
        assert.deepEqual(
          both.map(({ text }) => text),
          ['echo a', 'echo b'],
        );
        assert.equal((await engine.complete(request('c'))).text, 'echo c');
        assert.notEqual(engine.pid, gpu, 'the process of the GPU is gone');
        assert.equal(notes.length, 1);
        assert.match(notes[0] ?? '', /^scripted goes on on the CPU, as CUDA, device 0 failed: /);
      });
    }

    for (const order of ['dies at load', 'fails at load']) {
      it(`that does this: ${order}, the CPU has the model`, async () => {
        const engine = create({ onFallback: (note) => notes.push(note) });
        const model: ModelFiles = { ...SCRIPTED_MODEL, precision: 'fp16', graph: order };
        const info = await engine.load(model, { provider: CUDA }, SCRIPTED_MODEL);
        assert.equal(info.precision, 'int8');
        assert.equal(info.provider?.name, 'cpu');
        assert.equal(notes.length, 1);
      });
    }

    it('a text that had begun goes on where it was', async () => {
      const engine = await onGpu('lost');
      const pieces: string[] = [];
      await engine.generate(generation('x'), ({ text }) => pieces.push(text));
      assert.deepEqual(pieces, ['one ', 'two']);
    });

    it('a text that would go on otherwise ends, and what was written stands', async () => {
      const engine = await onGpu('lost and otherwise');
      const pieces: string[] = [];
      await assert.rejects(
        engine.generate(generation('x'), ({ text }) => pieces.push(text)),
        fails('crashed', /goes on otherwise/),
      );
      assert.deepEqual(pieces, ['eins ']);
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
    });

    it('a request that crashes the CPU, too, ends', async () => {
      const engine = await onGpu('fine');
      await assert.rejects(engine.generate(generation('exit')), fails('crashed', /exit code 3/));
      assert.equal(notes.length, 1);
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
    });

    it('one end of the process is not the GPU’s yet', async () => {
      const engine = await onGpu('fine');
      process.kill(engine.pid ?? 0, 'SIGKILL');
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
      assert.deepEqual(notes, []);
    });

    it('that dies again and again without being asked is left', async () => {
      const engine = create({ onFallback: (note) => notes.push(note) });
      const model: ModelFiles = { ...SCRIPTED_MODEL, precision: 'fp16', graph: 'fine' };
      await engine.load(model, { provider: CUDA }, SCRIPTED_MODEL);
      for (let i = 0; i < 2; i++) {
        const { pid } = engine;
        process.kill(pid ?? 0, 'SIGKILL');
        while (engine.pid === undefined || engine.pid === pid) await turn();
      }
      assert.equal((await engine.complete(request('x'))).text, 'echo x');
      assert.equal(notes.length, 1);
    });

    it('without files for the CPU, errors are told', async () => {
      const engine = create();
      const model: ModelFiles = { ...SCRIPTED_MODEL, precision: 'fp16', graph: 'lost' };
      await engine.load(model, { provider: CUDA });
      await assert.rejects(engine.complete(request('x')), fails('device', /off the bus/));
    });
  });

  describe('dispose', () => {
    it('ends requests, the process, timers and listeners', async () => {
      const abort = new AbortController();
      await turn(); // The test runner's own timer has started.
      const before = resources();
      const engine = await loaded();
      const pid = Number((await engine.complete(request('pid'), abort.signal)).text);
      assert.ok(isAlive(pid));
      const running = engine.generate(generation('slow'), undefined, abort.signal);
      const ended = assert.rejects(running, fails('stopped'));
      await engine.dispose();
      await ended;
      assert.equal(isAlive(pid), false);
      assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
      // Handles close some turns later; if one never did, this would run into the test's limit.
      while ([...resources()].some(([kind, count]) => count > (before.get(kind) ?? 0)))
        await turn();
      await assert.rejects(engine.load(SCRIPTED_MODEL), fails('stopped'));
    });

    it('ends a process that hangs', async () => {
      const engine = await loaded({ timing: { ...PROCESS_TIMING, shutdown: 50 } });
      const pid = Number((await engine.complete(request('pid'))).text);
      const running = assert.rejects(engine.generate(generation('hang')), fails('stopped'));
      await engine.dispose();
      await running;
      assert.equal(isAlive(pid), false);
    });

    it('leaves no listeners on a signal that lives through many requests', async () => {
      const engine = await loaded();
      const { signal } = new AbortController();
      for (let i = 0; i < 50; i++) await engine.complete(request('x'), signal);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });
  });

  it('gives its process the priority that is asked for', async () => {
    const { PRIORITY_BELOW_NORMAL } = constants.priority;
    const engine = await loaded({ priority: PRIORITY_BELOW_NORMAL });
    const pid = Number((await engine.complete(request('pid'))).text);
    assert.equal(getPriority(pid), PRIORITY_BELOW_NORMAL);
    assert.notEqual(getPriority(), PRIORITY_BELOW_NORMAL);
  });

  for (const order of ['slow', 'pid']) {
    const what = order === 'slow' ? 'at work' : 'idle';
    it(`leaves no orphan when the parent is killed while the child is ${what}`, async () => {
      const killed = spawn(process.execPath, [parent.path, worker.path, order], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [output] = (await once(killed.stdout, 'data')) as [Buffer];
      const pid = Number(output.toString());
      assert.ok(isAlive(pid));
      killed.kill('SIGKILL');
      while (isAlive(pid)) await turn();
    });
  }
});

function rethrowUnless(code: ErrorCode): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof EngineError && error.code === code)) throw error;
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** How many of each kind of resource keep this process alive. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Whether a process runs; one that has ended and only waits to be collected does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return process.platform !== 'linux';
  return !/\) Z /.test(readFileSync(stat, 'utf8'));
}
