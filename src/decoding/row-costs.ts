/**
 * What steps cost on this machine, learnt from the steps that ran. It decides how many drafts are
 * worth their rows.
 */

/** Share by which a new measurement moves what is known. */
const WEIGHT = 0.1;
/** Cost of 1..8 rows against that of one, before anything was measured. */
const PRIOR = [1, 1.12, 1.22, 1.35, 1.5, 1.6, 1.7, 1.8] as const;

export class RowCosts {
  /** ms of a step with 1..8 rows; 0: not measured. */
  private readonly measured = new Float64Array(PRIOR.length);
  private readonly counts = new Uint32Array(PRIOR.length);

  /** Takes over the time of one step, ms. */
  learn(rows: number, ms: number): void {
    const place = rows - 1;
    const before = this.measured[place];
    if (before === undefined || !(ms > 0)) return;
    const count = (this.counts[place] ?? 0) + 1;
    this.counts[place] = count;
    const weight = Math.max(WEIGHT, 1 / count);
    // One slow step (another program, a first run) is not the rule.
    const taken = before > 0 ? Math.min(ms, 2 * before) : ms;
    this.measured[place] = before + weight * (taken - before);
  }

  /** Expected ms of a step with this many rows; never less than that of fewer rows. */
  ms(rows: number): number {
    let most = 0;
    for (let count = 1; count <= Math.min(rows, PRIOR.length); count++) {
      most = Math.max(most, this.estimate(count));
    }
    return most;
  }

  /** What was measured, or the prior in proportion to the nearest measured number of rows. */
  private estimate(rows: number): number {
    for (let distance = 0; distance < PRIOR.length; distance++) {
      for (const count of [rows - distance, rows + distance]) {
        const known = this.measured[count - 1] ?? 0;
        if (known > 0) return (known * (PRIOR[rows - 1] ?? 1)) / (PRIOR[count - 1] ?? 1);
      }
    }
    return PRIOR[rows - 1] ?? 1; // Nothing known: the unit does not matter.
  }
}
