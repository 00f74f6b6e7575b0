/**
 * What steps cost on this machine, learnt from the steps that ran. It decides how many drafts are
 * worth their rows.
 *
 * The unit is a step of one row, because only ratios matter and they last: a machine that becomes
 * slow, since another program runs or the context grew, becomes it for every number of rows. So the
 * unit's ms follow the steps quickly, and the ratios slowly.
 *
 * Of a number of rows it believes its own steps as far as there were some lately, else the steps of all
 * numbers: one whose first steps were slow would otherwise be given up for good, for steps that are
 * thought too dear are not run, and say nothing more.
 */

/** Share by which a new step moves the unit. */
const UNIT_WEIGHT = 0.2;
/** What is left of what steps said after a further step of several rows: of all numbers, and of each. */
const ALL_KEPT = 0.95;
const OWN_KEPT = 0.97;
/** Cost of 1..8 rows against that of one, before anything was measured. */
const PRIOR = [1, 1.12, 1.22, 1.35, 1.5, 1.6, 1.7, 1.8] as const;
/** What the prior, and all numbers of rows, count as beside steps; in rows' cost, two steps of three rows. */
const PRIOR_WEIGHT = 0.4;

/** What rows behind the first one cost in some steps, and by the prior. */
interface Sum {
  cost: number;
  prior: number;
}

export class RowCosts {
  /** ms of one row; 0: not measured. */
  private unitMs = 0;
  private readonly all: Sum = { cost: PRIOR_WEIGHT, prior: PRIOR_WEIGHT };
  private readonly own = PRIOR.map((): Sum => ({ cost: 0, prior: 0 }));

  /** Takes over the time of one step, ms. */
  learn(rows: number, ms: number): void {
    const own = this.own[rows - 1];
    if (!own || !(ms > 0)) return;
    const ratio = this.estimate(rows);
    if (this.unitMs === 0) this.unitMs = ms / ratio;
    // One slow step (another program, a first run) is not the rule.
    const taken = Math.min(ms, 2 * this.unitMs * ratio);
    if (rows > 1) {
      fade(this.all, ALL_KEPT);
      for (const each of this.own) fade(each, OWN_KEPT);
      const cost = Math.min(rows, Math.max(1, taken / this.unitMs)) - 1;
      for (const sum of [this.all, own]) {
        sum.cost += cost;
        sum.prior += beyondOne(rows);
      }
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

  /** The prior, stretched as its own steps and those of all numbers say; at most as many steps of one row. */
  private estimate(rows: number): number {
    const { cost, prior } = this.own[rows - 1] ?? NONE;
    const usual = this.all.cost / this.all.prior;
    const stretch = (cost + PRIOR_WEIGHT * usual) / (prior + PRIOR_WEIGHT);
    return Math.min(rows, 1 + stretch * beyondOne(rows));
  }
}

const NONE: Sum = { cost: 0, prior: 0 };

const beyondOne = (rows: number) => (PRIOR[rows - 1] ?? 1) - 1;

function fade(sum: Sum, kept: number): void {
  sum.cost *= kept;
  sum.prior *= kept;
}
