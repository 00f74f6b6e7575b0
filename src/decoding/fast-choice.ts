/**
 * Fast mode's decision, the paper's Algorithm 1: how many of the proposed tokens to emit, and which.
 *
 * From the largest order n down to 2: mask J, drop what is below ε_b^(n-1), drop what is below Otsu's
 * threshold of the blurred rest, divide what repeats by the penalty; when nothing is left of at least
 * ε_b^(n-1), back off to n - 1, else choose among what is left. An order of 1 chooses from head 1.
 *
 * ε_b = 1 means one token and ε_b = 0 means all, whatever the mask says: at 0 a mask that leaves
 * nothing is ignored. The blur serves to find the threshold; J itself stays sharp.
 *
 * Knows proposals. It must not know steps, models or text.
 */
import { Blur, type Values } from './blur';
import { Cells } from './cells';
import type { Choice } from './choose';
import { CooccurrenceMask } from './cooccurrence';
import { checkFastOptions, FAST_DEFAULTS, type FastOptions } from './fast-options';
import { jointOf, type Joint } from './joint';
import type { Proposal } from './proposal';
import { seededRandom } from './random';
import { penalise } from './repetition';
import { otsuThreshold, staticThreshold } from './threshold';

/** What became of one order. */
export interface OrderTrace {
  readonly order: number;
  /** ε_b^(n-1), what the largest value must reach. */
  readonly staticThreshold: number;
  /** Otsu's threshold ε_AT; absent when it is off or the static threshold left nothing. */
  readonly adaptiveThreshold?: number;
  /** Cells that both thresholds left. */
  readonly survivors: number;
  /** The largest value of J behind thresholds and penalty; 0 when nothing was left. */
  readonly largest: number;
  /** Whether the mask left nothing, so that it was ignored (at ε_b = 0 alone). */
  readonly unmasked: boolean;
  /**
   * `chosen` ends the search. Else why it backed off: `empty`, no cell survived; `low`, some did, but
   * the largest is below ε_b^(n-1), as the penalty or a static threshold that is off can leave it.
   */
  readonly outcome: 'chosen' | 'empty' | 'low';
}

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
  const settings = { ...FAST_DEFAULTS, ...options };
  checkFastOptions(settings);
  const { epsilon, maxOrder, temperature, topK, table, mask: maskOptions, choice } = settings;
  const random = seededRandom(settings.seed);
  const cells = new Cells();
  const blur = new Blur();
  const maskOf = (alpha: number) =>
    table && alpha !== 0 ? new CooccurrenceMask(table, { ...maskOptions, alpha }) : undefined;
  const masks = {
    independent: maskOf(maskOptions.alpha ?? 1),
    chained: maskOf(maskOptions.alpha ?? 0),
  };

  /** Leaves in `cells` what may be chosen at an order. */
  function attempt(
    joint: Joint,
    order: number,
    mask: CooccurrenceMask | undefined,
    recent: readonly number[],
  ): OrderTrace {
    const threshold = staticThreshold(epsilon, order);
    const minimum = settings.useStatic ? threshold : 0;
    joint.fill(cells, order, minimum, mask);
    const unmasked = epsilon === 0 && cells.count === 0;
    if (unmasked) joint.fill(cells, order, minimum, undefined);
    const trace = { order, staticThreshold: threshold, unmasked };
    if (cells.count === 0) return { ...trace, survivors: 0, largest: 0, outcome: 'empty' };

    let adaptive = {};
    if (settings.useOtsu) {
      const adaptiveThreshold = otsuThreshold(valuesOf(joint.shape(order)));
      cells.drop(adaptiveThreshold);
      adaptive = { adaptiveThreshold };
    }
    penalise(cells, joint, order, recent, settings);
    const largest = cells.values[cells.largest()] ?? 0;
    const outcome = largest >= threshold ? 'chosen' : 'low';
    return { ...trace, ...adaptive, survivors: cells.count, largest, outcome };
  }

  /** What Otsu's threshold is sought in. */
  function valuesOf(shape: readonly number[]): Values {
    if (settings.useBlur) return blur.apply(cells, shape);
    const size = shape.reduce((product, length) => product * length, 1);
    return { values: cells.values.subarray(0, cells.count), zeros: size - cells.count };
  }

  function pick(joint: Joint, order: number): Omit<Decision, 'tried'> {
    const index = choice === 'likeliest' ? cells.largest() : cells.draw(random());
    const place = cells.places[index] ?? 0;
    return { choices: joint.tokensAt(order, place), joint: cells.values[index] ?? 0 };
  }

  return (proposal, recent) => {
    const joint = jointOf(proposal, temperature, topK);
    const tried: OrderTrace[] = [];
    const start = epsilon === 1 ? 1 : Math.min(maxOrder, joint.orders);
    for (let order = start; order > 1; order--) {
      const trace = attempt(joint, order, masks[proposal.kind], recent);
      tried.push(trace);
      if (trace.outcome === 'chosen') return { ...pick(joint, order), tried };
    }
    joint.fill(cells, 1, 0, undefined);
    return { ...pick(joint, 1), tried };
  };
}
