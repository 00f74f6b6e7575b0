/**
 * Whether asking the heads pays. It follows what they brought and what they cost; where their guesses
 * do not hold, they are asked ever more seldom, so that a text that never accepts costs next to nothing.
 *
 * Knows counts and costs, a step of one row being 1.
 */

/** Steps without a look at the heads at most, however useless they were. */
const LONGEST_PAUSE = 32;
/** Shares by which one step moves what is known. */
const WEIGHT = 0.08;
const COST_WEIGHT = 0.1;
/** Steps that share the cost of catching up with the text before the first question. */
const SHARED_BY = 6;
/** Rows to catch up on that are no more than the usual few. */
const FEW = 8;

export class HeadsWorth {
  /** Tokens and cost of a step with heads: what they were worth. Begins hopeful. */
  private tokens = 1.6;
  private rowCost = 1.15;
  /** Cost of asking, and of each row to catch up on. */
  private askCost = 0.15;
  private behindCost = 0.002;
  private pause = 0;
  private paused = 0;

  /** Whether to ask now, where another draft promises `rate` tokens a row's cost. */
  pays(rate: number, behind: number): boolean {
    const asking = this.askCost + (this.behindCost * behind) / SHARED_BY;
    if (this.tokens / (this.rowCost + asking) > rate) {
      this.pause = 0;
      return true;
    }
    if (rate > 1) return false;
    // Nothing else is tried here: now and then it is time for another look.
    if (this.paused > 0) {
      this.paused--;
      return false;
    }
    this.pause = Math.min(LONGEST_PAUSE, Math.max(2, 2 * this.pause));
    this.paused = this.pause;
    return true;
  }

  learnCost(cost: number, behind: number): void {
    if (behind <= FEW) this.askCost += COST_WEIGHT * (Math.min(cost, 1) - this.askCost);
    else {
      const each = Math.max(0, cost - this.askCost) / behind;
      this.behindCost += COST_WEIGHT * (Math.min(each, 0.02) - this.behindCost);
    }
  }

  /** What a step with heads brought, and the cost of its rows. */
  learnGain(tokens: number, rowCost: number): void {
    this.tokens += WEIGHT * (tokens - this.tokens);
    this.rowCost += WEIGHT * (rowCost - this.rowCost);
  }
}
