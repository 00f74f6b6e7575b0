/**
 * What steps cost on this machine, learnt from the steps that ran. It decides how many drafts are
 * worth their rows.
 *
 * The unit is a step of one row, because only ratios matter and they last: a machine that becomes
 * slow, since another program runs or the context grew, becomes it for every number of rows. So the
 * unit's ms follow the steps quickly, and the ratios slowly.
 */

/** Shares by which a new measurement moves what is known. */
const UNIT_WEIGHT = 0.2;
const RATIO_WEIGHT = 0.08;
/** Cost of 1..8 rows against that of one, before anything was measured. */
const PRIOR = [1, 1.12, 1.22, 1.35, 1.5, 1.6, 1.7, 1.8] as const;

export class RowCosts {
  /** ms of one row; 0: not measured. */
  private unitMs = 0;
  private readonly ratios = Float64Array.from(PRIOR);
  private readonly counts = new Uint32Array(PRIOR.length);

  /** Takes over the time of one step, ms. */
  learn(rows: number, ms: number): void {
    const place = rows - 1;
    const ratio = this.ratios[place];
    if (ratio === undefined || !(ms > 0)) return;
    if (this.unitMs === 0) this.unitMs = ms / ratio;
    // One slow step (another program, a first run) is not the rule.
    const taken = Math.min(ms, 2 * this.unitMs * ratio);
    if (rows > 1) {
      const count = (this.counts[place] ?? 0) + 1;
      this.counts[place] = count;
      const weight = Math.max(RATIO_WEIGHT, 1 / (count + 1));
      const moved = ratio + weight * (taken / this.unitMs - ratio);
      this.ratios[place] = Math.min(rows, Math.max(1, moved));
    }
    this.unitMs += UNIT_WEIGHT * (taken / ratio - this.unitMs);
  }

  /** Cost of a step with this many rows, one row being 1; never less than that of fewer rows. */
  of(rows: number): number {
    let most = 1;
    for (let count = 2; count <= Math.min(rows, PRIOR.length); count++) {
      most = Math.max(most, this.estimate(count));
    }
    return most;
  }

  /** Expected ms of such a step; 0 before the first one. */
  ms(rows: number): number {
    return this.unitMs * this.of(rows);
  }

  /** ms in units of one row. */
  inRows(ms: number): number {
    return this.unitMs === 0 ? 0 : ms / this.unitMs;
  }

  /**
   * What was measured, or the prior, stretched as the nearest measured number of rows says; but no
   * more than as many steps of one row.
   */
  private estimate(rows: number): number {
    const prior = (PRIOR[rows - 1] ?? 1) - 1;
    for (let distance = 0; distance < PRIOR.length; distance++) {
      for (const count of [rows - distance, rows + distance]) {
        if (count < 2 || (this.counts[count - 1] ?? 0) === 0) continue;
        const known = (this.ratios[count - 1] ?? 1) - 1;
        return Math.min(rows, 1 + (prior * known) / ((PRIOR[count - 1] ?? 1) - 1));
      }
    }
    return 1 + prior;
  }
}
