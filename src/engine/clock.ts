/** Time as the parent side uses it, so that tests can turn the clock. */
export interface Clock {
  /** Steady time, ms. */
  now(): number;
  /** Calls `action` after `ms`, unless the returned function is called first. */
  after(ms: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
