/**
 * Exact mode's drafts: from the model's heads, from what the text said before, or none where a row
 * costs more than it is likely to bring.
 *
 * Whatever it drafts, the text stays the same; so everything here is about time. The expected gain of
 * a draft is the product of the probabilities that it and those before it hold; its cost is what the
 * machine took for as many rows. Heads are asked only while asking pays: where their guesses do not
 * hold, they are asked ever more seldom, so that a text that never accepts costs next to nothing.
 */
import { LookupIndex } from './lookup';
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

/** Steps without a look at the heads at most, however useless they were. */
const LONGEST_PAUSE = 32;
/** Drafts of a lookup at most. */
const LOOKUP_TOKENS = 7;
const WEIGHT = 0.05;

/** Lives as long as its stepper: what machine and heads are like is learnt once. */
export class DynamicDrafter implements Drafter {
  private readonly costs: RowCosts;
  private readonly index = new LookupIndex();
  /** Probability that a looked-up token holds when those before it did. */
  private lookupHolds = 0.6;
  /** How often a head's guess held, over what its own probability says. */
  private calibration = 1;
  /** ms of asking the heads. */
  private proposeMs = 0;
  /** Tokens a ms with heads over plain ones, less 1, smoothed. Begins hopeful. */
  private advantage = 0.3;
  private pause = 0;
  private paused = 0;
  private expected: readonly number[] = [];
  private sources: DraftSources = {};

  constructor(private readonly options: DrafterOptions) {
    this.costs = options.costs ?? new RowCosts();
  }

  begin(prompt: readonly number[], sources: DraftSources = {}): void {
    this.sources = sources;
    const { nearby = [], lookup = true } = sources;
    if (lookup) this.index.hold(nearby.length > 0 ? [...nearby, ...prompt] : prompt);
    this.paused = 0;
  }

  passed(tokens: readonly number[]): void {
    if (this.sources.lookup === false) return;
    for (const token of tokens) this.index.append(token);
  }

  async draft(pending: readonly number[], most: number, signal: AbortSignal): Promise<Draft> {
    this.passed(pending);
    const found = this.sources.lookup === false ? [] : this.lookedUp(most);
    const next = pending.at(-1);
    const proposer = this.sources.heads === false ? undefined : this.options.proposer;
    if (found.length > 1 || !proposer || pending.length !== 1 || next === undefined) {
      return { tokens: found, source: 'lookup' };
    }
    if (this.paused > 0) {
      this.paused--;
      return { tokens: found, source: 'lookup' };
    }
    const links = await proposer.propose(next, signal);
    const probabilities = links.slice(0, most).map(({ id, candidates }) => {
      const { ids, logits, logNormalizer } = candidates;
      const probability = Math.exp((logits[ids.indexOf(id)] ?? -Infinity) - logNormalizer);
      return Math.min(1, probability * this.calibration);
    });
    const count = this.worthwhile(probabilities);
    this.expected = probabilities;
    const asked = { proposed: links, kind: proposer.kind };
    if (count === 0 && found.length > 0) return { tokens: found, source: 'lookup', ...asked };
    return { tokens: links.slice(0, count).map((link) => link.id), source: 'head', ...asked };
  }

  learn({ tokens, source }: Draft, accepted: number, { rows, draftMs, stepMs }: StepTimes): void {
    this.costs.learn(rows, stepMs);
    this.passed(tokens.slice(0, accepted));
    if (source === 'lookup') {
      for (let place = 0; place < Math.min(accepted + 1, tokens.length); place++) {
        this.lookupHolds += WEIGHT * (Number(place < accepted) - this.lookupHolds);
      }
    }
    if (source !== 'head') return;
    this.proposeMs += (this.proposeMs === 0 ? 1 : WEIGHT) * (draftMs - this.proposeMs);
    for (let place = 0; place < Math.min(accepted + 1, tokens.length); place++) {
      const surprise = Number(place < accepted) - (this.expected[place] ?? 0);
      this.calibration = clamp(this.calibration + WEIGHT * surprise, 0.5, 1.5);
    }
    this.weigh(accepted, rows);
  }

  /** Tokens that followed the last ones earlier, as many as pay. */
  private lookedUp(most: number): readonly number[] {
    const found = this.index.draft(Math.min(most, LOOKUP_TOKENS));
    return found.slice(0, this.worthwhile(found.map(() => this.lookupHolds)));
  }

  /** The number of drafts with the most expected tokens a ms. `holds`: see `lookupHolds`. */
  private worthwhile(holds: readonly number[]): number {
    let best = 1 / this.costs.ms(1);
    let count = 0;
    let gain = 1;
    let all = 1;
    for (const [place, probability] of holds.entries()) {
      all *= probability;
      gain += all;
      const rate = gain / this.costs.ms(place + 2);
      if (rate > best) [best, count] = [rate, place + 1];
    }
    return count;
  }

  /** Decides after a step with heads whether to ask them again at once. */
  private weigh(accepted: number, rows: number): void {
    const plain = 1 / this.costs.ms(1);
    const rate = (1 + accepted) / (this.costs.ms(rows) + this.proposeMs);
    this.advantage += 0.15 * (rate / plain - 1 - this.advantage);
    if (this.advantage >= 0) {
      this.pause = 0;
      return;
    }
    this.pause = Math.min(LONGEST_PAUSE, Math.max(1, 2 * this.pause));
    this.paused = this.pause;
  }
}

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
