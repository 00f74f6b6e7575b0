/**
 * How long the event loop is held up, and how much of that is work: the rest is other processes'
 * turn on the processor. Linux tells a thread's own processor time; elsewhere all counts as work.
 */
import { openSync, readSync, closeSync } from 'node:fs';

export interface LoopTime {
  /** Longest time in which a timer of 1 ms did not fire, ms. */
  readonly maxWallMs: number;
  /** Processor time of the thread between two firings, ms. */
  readonly maxWorkMs: number;
  readonly p999WorkMs: number;
  /** Firings between which more than 10 ms were worked. */
  readonly over10: number;
  readonly firings: number;
}

export class LoopWatch {
  readonly #work: number[] = [];
  readonly #file: number | undefined;
  readonly #buffer = Buffer.alloc(64);
  readonly #timer: NodeJS.Timeout;
  #maxWallMs = 0;
  #last: { readonly wall: number; readonly work: number };

  constructor() {
    this.#file = open(`/proc/self/task/${process.pid}/schedstat`);
    this.#last = this.#now();
    this.#timer = setInterval(() => this.#fire(), 1);
  }

  stop(): LoopTime {
    clearInterval(this.#timer);
    if (this.#file !== undefined) closeSync(this.#file);
    const sorted = this.#work.sort((a, b) => a - b);
    const at = (share: number) => round(sorted[Math.ceil(share * sorted.length) - 1] ?? NaN);
    return {
      maxWallMs: round(this.#maxWallMs),
      maxWorkMs: at(1),
      p999WorkMs: at(0.999),
      over10: sorted.filter((ms) => ms > 10).length,
      firings: sorted.length,
    };
  }

  #fire(): void {
    const now = this.#now();
    this.#maxWallMs = Math.max(this.#maxWallMs, now.wall - this.#last.wall);
    this.#work.push(now.work - this.#last.work);
    this.#last = now;
  }

  /** Both in ms. */
  #now(): { wall: number; work: number } {
    const wall = performance.now();
    if (this.#file === undefined) return { wall, work: wall };
    const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, 0);
    const [onProcessor = '0'] = this.#buffer.toString('latin1', 0, length).split(' ');
    return { wall, work: Number(onProcessor) / 1e6 };
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

const round = (ms: number): number => Math.round(100 * ms) / 100;
