/**
 * Notices that a process no longer answers, or answers pings but gets no further.
 *
 * Counts pings instead of time, so that a machine's sleep does not look like a hang. Runs only while
 * there is work: an idle process is left in peace.
 */
import type { Clock } from './clock';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly everyMs: number;
  /** Silence that means death, ms; asked at each beat, as some work cannot answer for longer. */
  readonly hangMs: () => number;
  /** Time without any progress that means death, ms. */
  readonly stallMs: number;
  readonly ping: () => void;
  readonly onDead: (message: string) => void;
}

export class Heartbeat {
  #silent = 0;
  #stalled = 0;
  #cancel: (() => void) | undefined;
  readonly #options: HeartbeatOptions;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Starts beating, unless it does already. */
  start(): void {
    if (this.#cancel) return;
    this.#silent = 0;
    this.#stalled = 0;
    this.#wait();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The process said something. */
  heard(): void {
    this.#silent = 0;
  }

  /** Some request got on. */
  progressed(): void {
    this.#stalled = 0;
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(this.#options.everyMs, () => this.#beat());
  }

  #beat(): void {
    const { everyMs, hangMs, stallMs, ping, onDead } = this.#options;
    if (this.#silent * everyMs >= hangMs()) {
      this.stop();
      onDead('The engine stopped answering and was ended.');
    } else if (this.#stalled * everyMs >= stallMs) {
      this.stop();
      onDead('The engine got no further and was ended.');
    } else {
      this.#silent++;
      this.#stalled++;
      ping();
      this.#wait();
    }
  }
}
