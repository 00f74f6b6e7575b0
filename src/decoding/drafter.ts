/**
 * Exact mode's drafts: from the model's heads, from what the text said before, or none where a row
 * costs more than it is likely to bring.
 *
 * Whatever it drafts, the text stays the same; so everything here is about time. The expected gain of
 * a draft is the product of the probabilities that it and those before it hold; its cost is what the
 * machine took for as many rows. Looking up is free, so it comes first; heads are asked where they
 * promise more, their own cost counted.
 */
import { HeadsWorth } from './heads-worth';
import { LookupIndex } from './lookup';
import { LookupOdds } from './lookup-odds';
import type { ChainLink } from './proposal';
import { RowCosts } from './row-costs';
import type { Proposer } from './stepper';
import type { DraftCount } from './trace';

export interface Draft {
  readonly tokens: readonly number[];
  readonly source: DraftCount['source'];
  /** What the heads proposed, if they were asked, drafted or not. */
  readonly proposed?: readonly ChainLink[];
  /** Kind of the heads that were asked. */
  readonly kind?: Proposer['kind'];
}

/** What a step took, ms. */
export interface StepTimes {
  readonly rows: number;
  readonly draftMs: number;
  readonly stepMs: number;
}

/** Where one generation's drafts may come from. */
export interface DraftSources {
  /** The model's heads; true when absent. */
  readonly heads?: boolean;
  /** What followed the same tokens earlier; true when absent. */
  readonly lookup?: boolean;
  /** Text that is no part of the prompt but may be repeated, the document's suffix say. */
  readonly nearby?: readonly number[];
}

export interface Drafter {
  /** A new generation from this prompt. */
  begin(prompt: readonly number[], sources?: DraftSources): void;
  /** Tokens that followed the prompt without a draft. */
  passed(tokens: readonly number[]): void;
  /** Drafts behind `pending`, tokens that are certain but not in the cache; at most `most`. */
  draft(pending: readonly number[], most: number, signal: AbortSignal): Promise<Draft>;
  /** How many of the drafts held, and what the step took. */
  learn(draft: Draft, accepted: number, times: StepTimes): void;
}

export interface DrafterOptions {
  readonly proposer?: Proposer | undefined;
  /** What rows cost; learnt from the steps when absent. */
  readonly costs?: RowCosts;
}

/** Drafts of a lookup at most. */
const LOOKUP_TOKENS = 7;
/**
 * Rows that the heads catch up on at most. Of 1.693 tokens a step with 256 rows, 64 leave 1.678 and
 * 16 leave 1.666 (bench/steps/README.md); each row costs about 0.2 % of a step.
 */
const LATEST_ROWS = 64;
const WEIGHT = 0.05;

/** A draft that could be tried, with what it promises. */
interface Option {
  readonly tokens: readonly number[];
  /** Expected tokens for the cost of one row. */
  readonly rate: number;
}

/** Lives as long as its stepper: what machine and heads are like is learnt once. */
export class DynamicDrafter implements Drafter {
  private readonly costs: RowCosts;
  private readonly index = new LookupIndex();
  private readonly odds = new LookupOdds();
  private readonly worth = new HeadsWorth();
  /** How often a head's guess held, over what its own probability says. */
  private calibration = 1;
  private sources: DraftSources = {};
  /** Of the draft that was made last. */
  private match = 0;
  private expected: readonly number[] = [];
  private behind = 0;

  constructor(private readonly options: DrafterOptions) {
    this.costs = options.costs ?? new RowCosts();
  }

  begin(prompt: readonly number[], sources: DraftSources = {}): void {
    this.sources = sources;
    const { nearby = [], lookup = true } = sources;
    if (lookup) this.index.hold(nearby.length > 0 ? [...nearby, ...prompt] : prompt);
  }

  passed(tokens: readonly number[]): void {
    if (this.sources.lookup === false) return;
    for (const token of tokens) this.index.append(token);
  }

  async draft(pending: readonly number[], most: number, signal: AbortSignal): Promise<Draft> {
    this.passed(pending);
    const found = this.sources.lookup === false ? NOTHING : this.lookedUp(most);
    const [next] = pending;
    const proposer = this.sources.heads === false ? undefined : this.options.proposer;
    if (!proposer || next === undefined || pending.length > 1) {
      return { tokens: found.tokens, source: 'lookup' };
    }
    this.behind = proposer.behind(LATEST_ROWS);
    if (!this.worth.pays(found.rate, this.behind))
      return { tokens: found.tokens, source: 'lookup' };

    const proposed = await proposer.propose(next, signal, LATEST_ROWS);
    this.expected = proposed.map(({ id, candidates }) => {
      const { ids, logits, logNormalizer } = candidates;
      const probability = Math.exp((logits[ids.indexOf(id)] ?? -Infinity) - logNormalizer);
      return Math.min(1, probability * this.calibration);
    });
    const ids = proposed.map(({ id }) => id).slice(0, most);
    const guessed = this.worthwhile(ids, this.expected);
    const asked = { proposed, kind: proposer.kind };
    return found.rate > guessed.rate
      ? { tokens: found.tokens, source: 'lookup', ...asked }
      : { tokens: guessed.tokens, source: 'head', ...asked };
  }

  learn(draft: Draft, accepted: number, { rows, draftMs, stepMs }: StepTimes): void {
    const { tokens, source, proposed } = draft;
    this.costs.learn(rows, stepMs);
    this.passed(tokens.slice(0, accepted));
    for (let place = 0; place < Math.min(accepted + 1, tokens.length); place++) {
      const held = place < accepted;
      if (source === 'lookup') this.odds.learn(this.match, place, held);
      else this.calibrate(Number(held) - (this.expected[place] ?? 0));
    }
    if (!proposed) return;
    this.worth.learnCost(this.costs.inRows(draftMs), this.behind);
    this.worth.learnGain(1 + accepted, this.costs.of(rows));
  }

  private calibrate(surprise: number): void {
    this.calibration = Math.min(1.5, Math.max(0.5, this.calibration + WEIGHT * surprise));
  }

  /** Tokens that followed the last ones earlier, as many as pay. */
  private lookedUp(most: number): Option {
    const { tokens, match } = this.index.draft(Math.min(most, LOOKUP_TOKENS));
    this.match = match;
    return this.worthwhile(
      tokens,
      tokens.map((_, place) => this.odds.holds(match, place)),
    );
  }

  /**
   * As many of the tokens as promise the most for the cost of their rows.
   *
   * @param holds probability of each that it holds when those before it did
   */
  private worthwhile(tokens: readonly number[], holds: readonly number[]): Option {
    let best = 1;
    let count = 0;
    let gain = 1;
    let all = 1;
    for (let place = 0; place < tokens.length; place++) {
      all *= holds[place] ?? 0;
      gain += all;
      const rate = gain / this.costs.of(place + 2);
      if (rate > best) [best, count] = [rate, place + 1];
    }
    return { tokens: tokens.slice(0, count), rate: best };
  }
}

const NOTHING: Option = { tokens: [], rate: 1 };
