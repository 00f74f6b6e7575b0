/**
 * Keeps one child process running: starts it when it is first needed, starts it again with back-off
 * after a crash, and gives up after too many. Knows nothing of requests and models.
 */
import { messageOf } from '../models/errors';
import { systemClock, type Clock } from './clock';
import { EngineError } from './errors';
import { RestartPolicy } from './restart-policy';

/** What the supervisor needs of a process. */
export interface Supervised {
  readonly ready: Promise<unknown>;
  readonly ended: Promise<EngineError>;
  shutdown(): Promise<void>;
}

export type SupervisorState =
  | { readonly phase: 'off' | 'starting' | 'ready' | 'disposed' }
  /** Waiting for the next start. */
  | { readonly phase: 'restarting'; readonly delayMs: number; readonly error: EngineError }
  /** It gave up; `reset` lets it try again. */
  | { readonly phase: 'stopped'; readonly error: EngineError };

export interface SupervisorOptions<P extends Supervised> {
  readonly launch: () => P;
  readonly policy?: RestartPolicy;
  readonly clock?: Clock;
  readonly onState?: (state: SupervisorState) => void;
}

interface Waiter<P> {
  readonly resolve: (process: P) => void;
  readonly reject: (error: EngineError) => void;
}

export class Supervisor<P extends Supervised> {
  readonly #options: SupervisorOptions<P>;
  readonly #policy: RestartPolicy;
  readonly #clock: Clock;
  #state: SupervisorState = { phase: 'off' };
  #process: P | undefined;
  #waiters: Waiter<P>[] = [];
  #cancelRestart: (() => void) | undefined;

  constructor(options: SupervisorOptions<P>) {
    this.#options = options;
    this.#policy = options.policy ?? new RestartPolicy();
    this.#clock = options.clock ?? systemClock;
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /**
   * The process, when it is ready; starts it when it is off and waits out a restart.
   *
   * @throws {EngineError} `stopped` when the supervisor has given up or was disposed of
   */
  running(): Promise<P> {
    const { phase } = this.#state;
    if (phase === 'ready' && this.#process) return Promise.resolve(this.#process);
    if (phase === 'disposed' || phase === 'stopped') return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (phase === 'off') this.#start();
    });
  }

  /** Forgets earlier crashes; after giving up, the next use starts the process again. */
  reset(): void {
    this.#policy.reset();
    if (this.#state.phase === 'stopped') this.#enter({ phase: 'off' });
  }

  /** Ends the process for good. Resolves when it is gone. */
  async dispose(): Promise<void> {
    if (this.#state.phase !== 'disposed') {
      this.#cancelRestart?.();
      this.#enter({ phase: 'disposed' });
      this.#rejectWaiters();
    }
    await this.#process?.shutdown();
  }

  #start(): void {
    this.#cancelRestart = undefined;
    this.#enter({ phase: 'starting' });
    let process: P;
    try {
      process = this.#options.launch();
    } catch (error) {
      const message = messageOf(error);
      this.#crashed(new EngineError('crashed', `The engine did not start: ${message}.`));
      return;
    }
    this.#process = process;
    process.ready.then(
      () => this.#becameReady(process),
      () => undefined, // `ended` tells.
    );
    void process.ended.then((error) => {
      if (this.#process !== process) return;
      this.#process = undefined;
      if (this.#state.phase !== 'disposed') this.#crashed(error);
    });
  }

  #becameReady(process: P): void {
    if (this.#process !== process || this.#state.phase !== 'starting') return;
    this.#enter({ phase: 'ready' });
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve(process);
  }

  #crashed(error: EngineError): void {
    const delayMs = this.#policy.crashed(this.#clock.now());
    if (delayMs === undefined) {
      this.#enter({ phase: 'stopped', error });
      this.#rejectWaiters();
      return;
    }
    this.#enter({ phase: 'restarting', delayMs, error });
    this.#cancelRestart = this.#clock.after(delayMs, () => this.#start());
  }

  #rejectWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(this.#refusal());
  }

  #refusal(): EngineError {
    if (this.#state.phase !== 'stopped') {
      return new EngineError('stopped', 'The engine was shut down.');
    }
    return new EngineError(
      'stopped',
      `The engine crashed too often and was stopped. Restart it to try again. ` +
        `Last error: ${this.#state.error.message}`,
    );
  }

  #enter(state: SupervisorState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}
