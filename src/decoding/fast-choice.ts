/**
 * Fast mode's decision, the paper's Algorithm 1: how many of the proposed tokens to emit, and which.
 *
 * From the largest order n down to 2: mask J, drop what is below ε_b^(n-1), drop what is below Otsu's
 * threshold of the blurred rest, divide what repeats by the penalty; when nothing is left of at least
 * ε_b^(n-1), back off to n - 1, else choose among what is left. An order of 1 chooses from head 1.
 *
 * ε_b = 1 means one token and ε_b = 0 means all, whatever the mask says: at 0 a mask that leaves
 * nothing is ignored. `cut.ts` has the thresholds.
 *
 * Knows proposals. It must not know steps, models or text.
 */
import type { Choice } from './choose';
import { Cutter, exponentOf, type OrderTrace } from './cut';
import type { FastOptions } from './fast-options';
import { jointOf, type Joint } from './joint';
import { headAt, type Candidates, type Proposal } from './proposal';
import { seededRandom } from './random';
import { staticThreshold } from './threshold';

export type { OrderTrace } from './cut';

export interface Decision {
  /** The tokens to emit, at least one, each with the model's own probability at temperature 1. */
  readonly choices: readonly Choice[];
  /** Value of J (masked, penalised) for these tokens; head 1's probability for a single one. */
  readonly joint: number;
  /** The orders from the largest down to 2 that were tried; none at ε_b = 1. */
  readonly tried: readonly OrderTrace[];
}

/** Decides one step. `recent`: the latest tokens of the output, the last one last. */
export type FastChooser = (proposal: Proposal, recent: readonly number[]) => Decision;

/**
 * Makes the chooser of one generation. It owns the random state and the memory of J.
 *
 * @throws {RangeError} when an option is out of range; the chooser throws {@link ModelOutputError}
 * when a proposal cannot be one
 */
export function createFastChooser(options: FastOptions): FastChooser {
  const cutter = new Cutter(options);
  const { cells } = cutter;
  const { temperature, topK, choice, seed } = cutter.settings;
  const random = seededRandom(seed);

  function pick(joint: Joint, order: number): Omit<Decision, 'tried'> {
    const index = choice === 'likeliest' ? cells.largest() : cells.draw(random());
    const place = cells.places[index] ?? 0;
    return { choices: joint.tokensAt(order, place), joint: cells.values[index] ?? 0 };
  }

  return (proposal, recent) => {
    const joint = jointOf(proposal, temperature, topK);
    const tried = backOff(cutter.settings, joint.orders, (order) =>
      cutter.cut(joint, order, proposal.kind, recent),
    );
    const last = tried.at(-1);
    if (last?.outcome === 'chosen') return { ...pick(joint, last.order), tried };
    joint.fill(cells, 1, 0, undefined);
    return { ...pick(joint, 1), tried };
  };
}

/** What rounding can add to a cell, which is computed in another order than the bound. */
const SLACK = 1 + 1e-9;

/**
 * Whether heads of a kind could make a step of up to `orders` tokens longer than one, whatever they say.
 * Not where the largest value that J could have, head 1's likeliest, is below every order's threshold;
 * only a mask can lift a value above that.
 *
 * @throws {ModelOutputError} when `last` is no prediction
 */
export function headsCount(
  settings: Required<FastOptions>,
  last: Candidates,
  kind: Proposal['kind'],
  orders: number,
): boolean {
  const { epsilon, maxOrder, temperature, topK } = settings;
  const most = epsilon === 1 ? 1 : Math.min(maxOrder, orders);
  if (most < 2) return false;
  if (exponentOf(settings, kind) !== 0) return true;
  const [likeliest = 0] = headAt(last, temperature, topK).probabilities;
  return likeliest * SLACK >= staticThreshold(epsilon, most);
}

/** The orders from the largest down that are tried, up to the first that is chosen, if one is. */
export function backOff<T extends Pick<OrderTrace, 'outcome'>>(
  { epsilon, maxOrder }: Pick<Required<FastOptions>, 'epsilon' | 'maxOrder'>,
  orders: number,
  cut: (order: number) => T,
): T[] {
  const tried: T[] = [];
  const start = epsilon === 1 ? 1 : Math.min(maxOrder, orders);
  for (let order = start; order > 1; order--) {
    const trace = cut(order);
    tried.push(trace);
    if (trace.outcome === 'chosen') break;
  }
  return tried;
}
