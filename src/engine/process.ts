/**
 * One life of the engine's child process: start, handshake, requests, heartbeat, end.
 *
 * Every request ends: with an answer, or with one error when the process ends, hangs, breaks the
 * protocol, or the caller's signal is aborted. Knows nothing of restarts or of what is asked.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';
import { Duplex, PassThrough } from 'node:stream';
import { Channel } from './channel';
import { systemClock, type Clock } from './clock';
import { withCuda } from './cuda-link';
import { EngineError, ProtocolError } from './errors';
import { Heartbeat } from './heartbeat';
import {
  LIMITS,
  parseToParent,
  PROTOCOL_VERSION,
  type RequestBody,
  type ToChild,
  type ToParent,
  type WorkState,
} from './protocol';

/** All in ms. */
export interface ProcessTiming {
  /** From spawn to handshake. */
  readonly start: number;
  /** Between pings, while a request is running; an idle process is left in peace. */
  readonly ping: number;
  /** Without any message that long, the process hangs: one step or prefill chunk is far shorter. */
  readonly hang: number;
  /** The same while a model is loading, which cannot answer pings. */
  readonly hangLoading: number;
  /** Pings are answered, but no request gets on. */
  readonly stall: number;
  /** From the request to end until the process is killed. */
  readonly shutdown: number;
}

export const PROCESS_TIMING: ProcessTiming = {
  start: 20_000,
  ping: 5_000,
  hang: 30_000,
  hangLoading: 240_000,
  stall: 600_000,
  shutdown: 2_000,
};

export interface ProcessOptions {
  /** Path of the bundled worker. */
  readonly worker: string;
  readonly env?: NodeJS.ProcessEnv;
  /** As in os.constants.priority; the parent's own when absent. */
  readonly priority?: number;
  readonly timing?: ProcessTiming;
  readonly clock?: Clock;
  readonly onState?: (state: WorkState) => void;
  /** What the process writes to standard error, for the log. */
  readonly onStderr?: (text: string) => void;
}

export type Step = Extract<ToParent, { type: 'step' }>;
export type Answer = Extract<ToParent, { type: 'loaded' | 'result' }>;

interface Pending {
  readonly type: RequestBody['type'];
  readonly onStep: ((step: Step) => void) | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** Removes the listener from the caller's signal. */
  readonly release: () => void;
}

const STDERR_TAIL = 2000;

export class EngineProcess {
  readonly #ready = deferred<undefined>();
  readonly #ended = deferred<EngineError>();
  /** Resolves after the handshake; rejects when the process ends before it. */
  readonly ready: Promise<unknown> = this.#ready.promise;
  /** Resolves when the process is gone, with what happened to it. */
  readonly ended = this.#ended.promise;

  readonly #options: ProcessOptions;
  readonly #timing: ProcessTiming;
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #channel: Channel<ToParent, ToChild>;
  /** Requests that somebody waits for. */
  readonly #pending = new Map<number, Pending>();
  /** Requests that the process owes an answer; one that was cancelled, too. */
  readonly #unanswered = new Map<number, RequestBody['type']>();
  readonly #heartbeat: Heartbeat;
  readonly #stopStartTimer: () => void;
  #nextId = 1;
  /** Why it is being killed. */
  #cause: EngineError | undefined;
  #end: EngineError | undefined;
  #handshakeDone = false;
  #stderrTail = '';
  #hung = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#timing = options.timing ?? PROCESS_TIMING;
    this.#clock = options.clock ?? systemClock;
    this.ready.catch(() => undefined); // Whoever waits for it is told; nobody has to wait.
    this.#child = launch(options);
    this.#yield(options.priority);
    this.#child.on('error', (error) => {
      this.#cause ??= new EngineError('crashed', `The engine did not start: ${error.message}.`);
      if (this.#child.pid === undefined) this.#finish(null, null); // There is nothing to close.
    });
    this.#child.once('close', (code, signal) => this.#finish(code, signal));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL);
      options.onStderr?.(text);
    });
    this.#channel = new Channel(messagePipe(this.#child), {
      parse: parseToParent,
      maxBytes: LIMITS.message,
      onMessage: (message) => this.#receive(message),
      onClose: (error) => this.#kill(error),
    });
    const { ping, hang, hangLoading, stall } = this.#timing;
    this.#heartbeat = new Heartbeat({
      clock: this.#clock,
      everyMs: ping,
      hangMs: () => (this.#isLoading ? hangLoading : hang),
      stallMs: stall,
      ping: () => this.#channel.send({ type: 'ping', id: this.#nextId++ }),
      onDead: (message) => this.#giveUp(message),
    });
    this.#stopStartTimer = this.#clock.after(this.#timing.start, () =>
      this.#giveUp('The engine did not start in time.'),
    );
    this.#channel.send({ type: 'hello', version: PROTOCOL_VERSION });
  }

  /** Id of the operating system's process, when there is one. */
  get pid(): number | undefined {
    return this.#end ? undefined : this.#child.pid;
  }

  /** Whether it has ended or is about to; it takes no requests then. */
  get ending(): boolean {
    return (this.#end ?? this.#cause) !== undefined;
  }

  /** Whether it was ended because it did not answer, or got no further. */
  get hung(): boolean {
    return this.#hung;
  }

  /** Sends a request; `signal` must be aborted with an EngineError. */
  request(body: RequestBody, signal?: AbortSignal, onStep?: (step: Step) => void): Promise<Answer> {
    if (this.ending) return Promise.reject(this.#lost());
    if (signal?.aborted) return Promise.reject(signal.reason as EngineError);
    const id = this.#nextId++;
    return new Promise<Answer>((resolve, reject) => {
      const abort = () => {
        this.#channel.send({ type: 'cancel', id });
        this.#settle(id)?.reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const release = () => signal?.removeEventListener('abort', abort);
      this.#pending.set(id, { type: body.type, onStep, resolve, reject, release });
      this.#unanswered.set(id, body.type);
      this.#channel.send({ ...body, id });
      this.#heartbeat.start();
    });
  }

  /** Asks the process to end, and kills it when it takes too long. Resolves when it is gone. */
  async shutdown(): Promise<void> {
    if (this.#end) return;
    this.#cause ??= new EngineError('stopped', 'The engine was stopped.');
    this.#channel.send({ type: 'shutdown' });
    const stopTimer = this.#clock.after(this.#timing.shutdown, () => this.#kill());
    await this.ended;
    stopTimer();
  }

  /** Ends the process at once: what it has to do with cannot be trusted any more. */
  abandon(message: string): void {
    this.#kill(new EngineError('crashed', message));
  }

  /** Some systems refuse it; the process then competes with its parent. */
  #yield(priority: number | undefined): void {
    const { pid } = this.#child;
    if (pid === undefined || priority === undefined) return;
    try {
      setPriority(pid, priority);
    } catch {
      // As it was.
    }
  }

  get #isLoading(): boolean {
    return [...this.#unanswered.values()].some((type) => type === 'load' || type === 'prepare');
  }

  #receive(message: ToParent): void {
    this.#heartbeat.heard();
    switch (message.type) {
      case 'ready':
        return this.#handshake(message.version);
      case 'state':
        return this.#options.onState?.(message.state);
      case 'pong':
        return;
      case 'step':
        return this.#passStep(message);
      case 'error':
        this.#answered(message.id);
        this.#settle(message.id)?.reject(new EngineError(message.code, message.message));
        return;
      default:
        return this.#answer(message);
    }
  }

  #handshake(version: number): void {
    if (version !== PROTOCOL_VERSION) {
      const both = `it speaks version ${version}, this side ${PROTOCOL_VERSION}`;
      this.#kill(new ProtocolError(`The engine is of another version (${both}); reinstall.`));
      return;
    }
    this.#handshakeDone = true;
    this.#stopStartTimer();
    this.#ready.resolve(undefined);
  }

  #passStep(step: Step): void {
    this.#heartbeat.progressed();
    const pending = this.#pending.get(step.id);
    try {
      pending?.onStep?.(step);
    } catch (error) {
      this.#channel.send({ type: 'cancel', id: step.id });
      this.#settle(step.id)?.reject(error); // The caller's own error goes back to the caller.
    }
  }

  #answer(answer: Answer): void {
    this.#answered(answer.id);
    const expected = this.#pending.get(answer.id)?.type;
    if (expected === undefined) return; // It was cancelled meanwhile.
    const kind = answer.type === 'loaded' ? 'loaded' : answer.result.kind;
    if (kind !== ANSWERS[expected]) {
      this.#kill(new ProtocolError(`The engine answered "${expected}" with "${kind}".`));
      return;
    }
    this.#settle(answer.id)?.resolve(answer);
  }

  /** Only the process's own word counts: callers that gave up say nothing of how it is. */
  #answered(id: number): void {
    this.#heartbeat.progressed();
    this.#unanswered.delete(id);
    if (this.#unanswered.size === 0) this.#heartbeat.stop();
  }

  /** Takes a request off the list; the caller then ends it. */
  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.release();
    return pending;
  }

  #giveUp(message: string): void {
    this.#hung = true;
    this.abandon(message);
  }

  #kill(cause?: Error): void {
    if (cause instanceof EngineError) this.#cause ??= new EngineError('crashed', cause.message);
    this.#child.kill('SIGKILL');
    this.#channel.close();
  }

  #finish(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#end) return;
    const how = signal ? `by ${signal}` : `with exit code ${code}`;
    // Before the handshake standard error says why, and no text of the user can be in it.
    const hint = this.#handshakeDone ? '' : ` ${this.#stderrTail.trim()}`;
    const advice = signal === 'SIGKILL' ? ' The system may have run out of memory.' : '';
    const message = `The engine's process ended unexpectedly ${how}.${advice}${hint}`.trim();
    this.#end = this.#cause ?? new EngineError('crashed', message);
    this.#stopStartTimer();
    this.#heartbeat.stop();
    this.#channel.close();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#lost());
    this.#ready.reject(this.#end);
    this.#ended.resolve(this.#end);
  }

  /** A new error for each request, so that each has its caller's stack. */
  #lost(): EngineError {
    const { code, message } =
      this.#end ?? this.#cause ?? new EngineError('crashed', 'The engine ended.');
    return new EngineError(code, message);
  }
}

/** What answers each request. */
const ANSWERS = {
  load: 'loaded',
  prepare: 'prepared',
  complete: 'completion',
  generate: 'generation',
  measure: 'measure',
  inspect: 'inspection',
  probe: 'probe',
} as const;

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, resolve: (value) => settle?.resolve(value), reject: (e) => settle?.reject(e) };
}

function launch({ worker, env }: ProcessOptions): ChildProcess {
  const environment: NodeJS.ProcessEnv = { ...withCuda(worker, env ?? process.env) };
  // Inside an editor the running binary is Electron.
  environment['ELECTRON_RUN_AS_NODE'] = '1';
  // A debugger's or a loader's options are meant for the parent.
  delete environment['NODE_OPTIONS'];
  return spawn(process.execPath, [worker], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
}

/** File descriptor 3 of the child; a machine out of descriptors gives a child without pipes. */
function messagePipe(child: ChildProcess): Duplex {
  const pipe = (child.stdio as ChildProcess['stdio'] | undefined)?.[3];
  return pipe instanceof Duplex ? pipe : new PassThrough();
}
