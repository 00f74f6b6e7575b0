import assert from 'node:assert/strict';
import { EngineError } from '../../../src/engine/errors';
import { Supervisor, type Supervised } from '../../../src/engine/supervisor';
import { ManualClock } from '../../fixtures/manual-clock';

class FakeProcess implements Supervised {
  becomeReady: () => void = () => undefined;
  end: (error: EngineError) => void = () => undefined;
  readonly ready = new Promise<void>((resolve) => (this.becomeReady = resolve));
  readonly ended = new Promise<EngineError>((resolve) => (this.end = resolve));
  shutdowns = 0;

  shutdown(): Promise<void> {
    this.shutdowns++;
    this.end(new EngineError('stopped', 'It was stopped.'));
    return Promise.resolve();
  }
}

function setUp(launch = () => new FakeProcess()) {
  const clock = new ManualClock();
  const processes: FakeProcess[] = [];
  const phases: string[] = [];
  const supervisor = new Supervisor<FakeProcess>({
    clock,
    launch: () => {
      const process = launch();
      processes.push(process);
      return process;
    },
    onState: ({ phase }) => phases.push(phase),
  });
  const last = (): FakeProcess => {
    const process = processes.at(-1);
    assert.ok(process);
    return process;
  };
  const crash = async () => {
    last().end(new EngineError('crashed', 'It fell over.'));
    await settle();
  };
  return { clock, processes, phases, supervisor, last, crash };
}

/** Lets promises settle. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('Supervisor', () => {
  it('starts nothing before it is needed, and then one process for all', async () => {
    const { supervisor, processes, last } = setUp();
    assert.equal(processes.length, 0);
    const both = Promise.all([supervisor.running(), supervisor.running()]);
    last().becomeReady();
    const [one, other] = await both;
    assert.equal(one, other);
    assert.equal(await supervisor.running(), one);
    assert.equal(processes.length, 1);
  });

  it('starts again after the back-off, and who waits gets the new process', async () => {
    const { supervisor, processes, clock, last, crash } = setUp();
    void supervisor.running();
    last().becomeReady();
    await settle();
    await crash();
    const waiting = supervisor.running();
    clock.turn(249);
    assert.equal(processes.length, 1);
    clock.turn(1);
    assert.equal(processes.length, 2);
    last().becomeReady();
    assert.equal(await waiting, processes[1]);
  });

  it('gives up after five crashes with one clear error, until it is reset', async () => {
    const { supervisor, processes, clock, phases, last, crash } = setUp();
    const waiting = supervisor.running();
    waiting.catch(() => undefined);
    for (let count = 1; count <= 5; count++) {
      assert.equal(processes.length, count);
      await crash();
      clock.turn(5000);
    }
    assert.equal(processes.length, 5);
    assert.equal(clock.waiting, 0);
    const stopped = (error: unknown) =>
      error instanceof EngineError &&
      error.code === 'stopped' &&
      /crashed too often.*It fell over\./.test(error.message);
    await assert.rejects(waiting, stopped);
    await assert.rejects(supervisor.running(), stopped);
    assert.equal(phases.at(-1), 'stopped');

    supervisor.reset();
    const again = supervisor.running();
    last().becomeReady();
    assert.equal(await again, processes[5]);
  });

  it('counts a process that cannot even be launched', async () => {
    const { supervisor, clock } = setUp(() => {
      throw new Error('no more processes');
    });
    const waiting = supervisor.running();
    waiting.catch(() => undefined);
    clock.turn(60_000);
    await assert.rejects(waiting, /no more processes/);
  });

  it('ends the process, the waiting and the timers when it is disposed of', async () => {
    const { supervisor, clock, processes, last } = setUp();
    void supervisor.running();
    last().becomeReady();
    await settle();
    await supervisor.dispose();
    await supervisor.dispose();
    await settle();
    assert.equal(supervisor.state.phase, 'disposed');
    await assert.rejects(supervisor.running(), /shut down/);

    const other = setUp();
    const waiting = other.supervisor.running();
    waiting.catch(() => undefined);
    await other.crash();
    await other.supervisor.dispose();
    await assert.rejects(waiting, /shut down/);
    assert.equal(other.clock.waiting, 0);
    assert.equal(processes.length, 1);
    assert.equal(clock.waiting, 0);
  });
});
