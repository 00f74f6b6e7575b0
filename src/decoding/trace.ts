/**
 * What a generation reports about itself: the one type that the log, the status bar, the threshold
 * view and the benches read. Plain data, so that it crosses the process boundary as it is.
 */
import type { OrderTrace } from './fast-choice';

/** What proposed the tokens of a step behind its first one; `base` when there are none. */
export type TokenSource = 'base' | 'head' | 'lookup';

/** One decoding step: the tokens that became certain together. */
export interface DecodeStep {
  /** Ids, 1 or more, without stop tokens. */
  readonly tokens: readonly number[];
  readonly source: TokenSource;
  /**
   * The model's probability of these tokens given what stood before them, at temperature 1, among
   * the tokens that were allowed. In [0, 1]. Of a head's token in fast mode: the head's.
   */
  readonly confidence: number;
  /** Token rows that the model ran for this step; 0 for the one that the prompt's prefill gave. */
  readonly rows: number;
  /** What was tried behind the certain tokens, in exact mode; absent where nothing was. */
  readonly draft?: DraftCount;
  /** Time that the step took, ms; the time that the reader of the steps takes is not in it. */
  readonly ms: number;
  /** On request alone. */
  readonly trace?: StepTrace;
}

/** How a step's drafts fared. */
export interface DraftCount {
  readonly source: 'head' | 'lookup';
  /** Tokens drafted, ≥ 1. */
  readonly tokens: number;
  /** How many of them, from the front, the base model said too. */
  readonly accepted: number;
}

/** How a step came about. `places[i]` is about the step's token i, and goes on behind its last one. */
export interface StepTrace {
  readonly places: readonly TracedPlace[];
  /** Of the heads that were asked; absent when none were. */
  readonly heads?: 'independent' | 'chained';
  /** Fast mode's decision. */
  readonly decision?: TracedDecision;
  /** Time for drafts: asking the heads, looking up. ms */
  readonly draftMs: number;
  /** Time for the decision: thresholds, or verification. ms */
  readonly decideMs: number;
}

export interface TracedPlace {
  /**
   * Head 1's candidates. Exact mode has them wherever the base was asked; in fast mode it is asked
   * for the first token alone.
   */
  readonly base?: TracedCandidates;
  /** Candidates of the head that guessed this token, before the base was asked. */
  readonly head?: TracedCandidates;
  /** Exact mode's draft for this place. */
  readonly draft?: TracedDraft;
}

/** A prediction's candidates, likeliest first. All arrays have the same length. */
export interface TracedCandidates {
  readonly ids: readonly number[];
  readonly logits: readonly number[];
  /** exp(logit - logNormalizer) is a candidate's probability at temperature 1. */
  readonly logNormalizer: number;
  /** Filled in by whoever knows the tokenizer. */
  readonly texts?: readonly string[];
}

export interface TracedDraft {
  readonly id: number;
  readonly text?: string;
  readonly source: 'head' | 'lookup';
  /**
   * `refused`: the base said something else here. `unreached`: a draft before it was refused, or
   * the text ended.
   */
  readonly fate: 'accepted' | 'refused' | 'unreached';
}

export interface TracedDecision {
  /** Tokens of the step, n. */
  readonly order: number;
  /** J of the chosen tokens, masked and penalised; head 1's probability when n is 1. */
  readonly joint: number;
  /** ε_b. */
  readonly epsilon: number;
  /** The orders from the largest down to 2 that were tried, with ε_b^(n-1) and ε_AT. */
  readonly tried: readonly OrderTrace[];
  /** The largest cells of J of the order that was tried last, largest first: masked, unpenalised. */
  readonly cells: readonly TracedCell[];
}

export interface TracedCell {
  readonly ids: readonly number[];
  readonly texts?: readonly string[];
  readonly value: number;
  /** Whether it lies above both thresholds. */
  readonly survives: boolean;
}

/** What the prompt cost before the first step. */
export interface PrefillTrace {
  /** Tokens of the prompt. */
  readonly tokens: number;
  /** How many of them the KV cache already held. */
  readonly reused: number;
  readonly ms: number;
}

/** Why a generation ended by itself. */
export type DecodeEnd = 'stopToken' | 'maxTokens' | 'context';
