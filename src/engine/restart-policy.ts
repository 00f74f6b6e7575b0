/**
 * When to start the engine's process again after a crash, and when to give up. Pure: time is given.
 */

export interface RestartLimits {
  /** Delay after the first crash, ms; it doubles with each further one. */
  readonly firstDelayMs: number;
  /** Crashes within the window that stop the engine. */
  readonly maxCrashes: number;
  readonly windowMs: number;
}

export const RESTART_LIMITS: RestartLimits = {
  firstDelayMs: 250,
  maxCrashes: 5,
  windowMs: 3 * 60_000,
};

export class RestartPolicy {
  #crashes: number[] = [];
  readonly #limits: RestartLimits;

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Records a crash.
   *
   * @param now ms of any steady clock
   * @returns the delay before the next start, ms, or undefined when there shall be none
   */
  crashed(now: number): number | undefined {
    const { firstDelayMs, maxCrashes, windowMs } = this.#limits;
    this.#crashes = this.#crashes.filter((time) => now - time < windowMs);
    this.#crashes.push(now);
    if (this.#crashes.length >= maxCrashes) return undefined;
    return firstDelayMs * 2 ** (this.#crashes.length - 1);
  }

  /** Forgets all crashes: the user wants another try. */
  reset(): void {
    this.#crashes = [];
  }
}
