/**
 * What a decision looks like: J of one order, plain and masked, and what the thresholds leave of it.
 * All numbers are those that fast mode decides by; nothing is computed a second time in another way.
 *
 * Knows proposals and options. It must not know how a picture is drawn.
 */
import { Cells } from './cells';
import { Cutter, type OrderTrace } from './cut';
import { createFastChooser, type Decision } from './fast-choice';
import type { FastOptions } from './fast-options';
import { jointOf, type Joint } from './joint';
import type { Proposal } from './proposal';

/** J of one order and its cut. The tensors are row-major, of shape `shape`. */
export interface Picture {
  readonly order: number;
  readonly shape: readonly number[];
  readonly plain: Float64Array;
  /** Behind the co-occurrence mask; equal to `plain` when there is none. */
  readonly masked: Float64Array;
  /** Behind thresholds and penalty: 0 where nothing survived. */
  readonly left: Float64Array;
  readonly trace: OrderTrace;
  /** Place of the largest cell that was left; undefined when this order is backed off from. */
  readonly best: number | undefined;
  /** The token ids of a cell. Length [order]. */
  idsAt(place: number): number[];
}

/**
 * The picture of an order, or undefined when the proposal has no tokens for it.
 *
 * @throws {RangeError} when an option is out of range
 * @throws {ModelOutputError} when the proposal cannot be one
 */
export function pictureOf(
  proposal: Proposal,
  recent: readonly number[],
  options: FastOptions,
  order: number,
): Picture | undefined {
  const cutter = new Cutter(options);
  const { temperature, topK, epsilon } = cutter.settings;
  const joint = jointOf(proposal, temperature, topK);
  if (order > joint.orders) return undefined;
  const shape = joint.shape(order);
  const plain = dense(joint, order, undefined);
  const mask = cutter.mask(proposal.kind);
  const masked = mask ? dense(joint, order, mask) : plain;
  const trace = cutter.cut(joint, order, proposal.kind, recent);
  const { cells } = cutter;
  // At ε_b = 1 no order above 1 is tried, whatever the values are.
  const chosen = trace.outcome === 'chosen' && epsilon < 1;
  return {
    order,
    shape,
    plain,
    masked,
    left: scatter(cells, plain.length),
    trace,
    best: chosen ? cells.places[cells.largest()] : undefined,
    idsAt: (place) => joint.idsAt(order, place),
  };
}

/** What fast mode does with a proposal when it takes the likeliest tokens. */
export function likeliestDecision(
  proposal: Proposal,
  recent: readonly number[],
  options: FastOptions,
): Decision {
  return createFastChooser({ ...options, choice: 'likeliest' })(proposal, recent);
}

function dense(joint: Joint, order: number, mask: ReturnType<Cutter['mask']>): Float64Array {
  const cells = new Cells();
  joint.fill(cells, order, 0, mask);
  return scatter(
    cells,
    joint.shape(order).reduce((product, length) => product * length, 1),
  );
}

function scatter(cells: Cells, size: number): Float64Array {
  const values = new Float64Array(size);
  for (let i = 0; i < cells.count; i++) values[cells.places[i] ?? 0] = cells.values[i] ?? 0;
  return values;
}
