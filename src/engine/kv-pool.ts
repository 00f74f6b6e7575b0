/**
 * The states of several token sequences, so that going back to a file, or alternating between two,
 * costs no prefill: the least recently used ones make room when memory runs out.
 *
 * Knows tokens and sizes, nothing of what a state is made of.
 */

/** What is kept of one sequence. */
export interface PooledState {
  readonly tokens: readonly number[];
  /** Memory that it holds, whatever of it is in use, bytes. */
  readonly bytes: number;
  /** Memory of one row, bytes. */
  readonly rowBytes: number;
  /** @throws {RangeError} when the system has no memory for so many rows */
  reserve(rows: number): void;
  rewind(length: number): void;
  /** Becomes the first `length` rows of another state. */
  copy(from: this, length: number): void;
}

export interface PoolOptions<S extends PooledState> {
  readonly create: () => S;
  /** The most memory of all states together, bytes; one state there is in any case. */
  readonly budget: number;
}

/**
 * Rows that one state may lose to the next prompt: a completion that was not accepted, an edit. With
 * more at stake the state is kept, and the prompt gets a copy of what they have in common.
 */
export const MOST_LOST_ROWS = 128;

export class StatePool<S extends PooledState> {
  /** The most recently used first; never empty. */
  private readonly states: S[];

  constructor(private readonly options: PoolOptions<S>) {
    this.states = [options.create()];
  }

  /** The state that was selected last. */
  get current(): S {
    const [first] = this.states;
    if (!first) throw new Error('A pool has a state.');
    return first;
  }

  /** Memory of all states together, bytes. */
  get bytes(): number {
    return this.states.reduce((sum, state) => sum + state.bytes, 0);
  }

  /** How many states there are. */
  get size(): number {
    return this.states.length;
  }

  /**
   * Makes the state that has most of `tokens` the current one, rewound to at most `most` rows that
   * it has in common with them.
   *
   * @returns those rows' number
   */
  select(tokens: readonly number[], most: number): number {
    let [best, common] = [this.current, commonPrefix(this.current.tokens, tokens)];
    for (const state of this.states.slice(1)) {
      const length = commonPrefix(state.tokens, tokens);
      if (length > common) [best, common] = [state, length];
    }
    const kept = Math.min(common, most);
    const beside = best.tokens.length - common > MOST_LOST_ROWS ? this.beside(best, tokens) : best;
    const chosen = beside !== best && copied(best, kept, beside) ? beside : best;
    if (chosen === best) best.rewind(kept);
    this.use(chosen);
    this.shrink();
    return kept;
  }

  /**
   * Takes memory for so many rows of the current state; where the system has none left, whatever the
   * budget says, the other states make way.
   *
   * @throws {RangeError} when that does not help
   */
  reserve(rows: number): void {
    for (;;) {
      try {
        return this.current.reserve(rows);
      } catch (error) {
        if (!(error instanceof RangeError) || this.states.length === 1) throw error;
        this.states.pop();
      }
    }
  }

  /** A state for `tokens` that leaves `best` alone, or `best` itself where memory is short. */
  private beside(best: S, tokens: readonly number[]): S {
    const needed = tokens.length * best.rowBytes;
    const last = this.states.at(-1) ?? best;
    if (this.bytes + needed <= this.options.budget) return this.options.create();
    // Its memory is used again; what it grows by must still fit.
    const growth = Math.max(0, needed - last.bytes);
    return this.bytes + growth <= this.options.budget ? last : best;
  }

  private use(state: S): void {
    const at = this.states.indexOf(state);
    if (at >= 0) this.states.splice(at, 1);
    this.states.unshift(state);
  }

  /** Lets go of states until the budget is kept, as far as it can be. */
  private shrink(): void {
    while (this.states.length > 1 && this.bytes > this.options.budget) this.states.pop();
  }
}

/** Whether there was memory for a copy; without, what `to` had is lost. */
function copied<S extends PooledState>(from: S, length: number, to: S): boolean {
  try {
    to.copy(from, length);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false; // So arrays say it.
    throw error;
  }
}

/** How many leading tokens two sequences share. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n++;
  return n;
}
