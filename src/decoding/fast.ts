/**
 * Fast mode, the paper's: a step emits as many tokens as heads and base agree on with enough
 * confidence, unverified. The emitted tokens are the next step's rows, and the next prediction is read
 * at the last of them.
 *
 * Knows steps and proposals. What is chosen is `fast-choice.ts`'s business.
 */
import { createFastChooser, headsCount, type FastChooser } from './fast-choice';
import { FAST_DEFAULTS, type FastOptions } from './fast-options';
import { feed } from './plain';
import { proposalBehind } from './propose';
import type { Proposal } from './proposal';
import type { Proposer, RowPrediction, Stepper } from './stepper';
import type { StepResult, Strategy } from './strategy';
import { traceDecision, traceProposal, type TraceOptions } from './tracing';

export interface FastModeOptions extends FastOptions {
  /** First tokens that a chain of heads is evaluated for: the likeliest ones. 1 when absent. */
  readonly chains?: number;
}

/** The most `chains`. */
export const MOST_CHAINS = 4;

/** @throws {RangeError} when an option is out of range */
export function fastStrategy(
  stepper: Stepper,
  proposer: Proposer,
  { chains = 1, ...options }: FastModeOptions,
  trace?: TraceOptions,
): Strategy {
  if (!Number.isInteger(chains) || chains < 1 || chains > MOST_CHAINS) {
    throw new RangeError(
      `The number of chains must be a whole number from 1 to ${MOST_CHAINS}, not ${chains}.`,
    );
  }
  const settings = { ...FAST_DEFAULTS, ...options };
  const choose: FastChooser = createFastChooser(settings);
  const output: number[] = [];

  /** Who looks at the decision wants to see what the heads say, also where they cannot change it. */
  function asks(last: RowPrediction): boolean {
    if (trace) return settings.epsilon < 1 && settings.maxOrder > 1;
    return headsCount(settings, last, proposer.kind, proposer.depth + 1);
  }

  async function decide(last: RowPrediction, rows: number, signal: AbortSignal) {
    const started = performance.now();
    const alone = !asks(last);
    const proposal = alone ? only(last) : await proposalBehind(proposer, last, chains, signal);
    const proposed = performance.now();
    const decision = choose(proposal, output);
    const { choices } = decision;
    const result: StepResult = { choices, source: choices.length > 1 ? 'head' : 'base', rows };
    if (!trace) return result;
    const decideMs = performance.now() - proposed;
    return {
      ...result,
      trace: {
        places: traceProposal(proposal, trace),
        ...(!alone && { heads: proposer.kind }),
        decision: traceDecision(proposal, decision, settings),
        draftMs: proposed - started,
        decideMs,
      },
    };
  }

  return {
    passed: (tokens) => void output.push(...tokens),
    first: (last, signal) => decide(last, 0, signal),
    async advance(pending, _room, signal) {
      output.push(...pending);
      return await decide(await feed(stepper, pending, signal), pending.length, signal);
    },
  };
}

/** Head 1 alone. */
const only = (last: RowPrediction): Proposal => ({ kind: 'independent', heads: [last] });
