/**
 * What a decision looks like: J of one order, plain and masked, and what the thresholds leave of it.
 * All numbers are those that fast mode decides by; nothing is computed a second time in another way.
 *
 * Knows proposals and options. It must not know how a picture is drawn.
 */
import { Cells } from './cells';
import type { CooccurrenceMask, CooccurrenceTable, MaskOptions } from './cooccurrence';
import { CutMemory, Cutter, type OrderTrace } from './cut';
import { backOff, type Decision } from './fast-choice';
import type { FastOptions } from './fast-options';
import { jointOf, type MaskMemory } from './joint';
import { Latest } from './latest';
import type { Proposal } from './proposal';
import { RememberedJoint } from './remembered-joint';

/** J of one order and its cut. The tensors are row-major, of shape `shape`. */
export interface Picture {
  readonly order: number;
  readonly shape: readonly number[];
  readonly plain: Float64Array;
  /** Behind the co-occurrence mask; equal to `plain` when there is none. */
  readonly masked: Float64Array;
  /** Behind thresholds and penalty: 0 where nothing survived. */
  readonly left: Float64Array;
  /** Places of the cells that survived, ascending. */
  readonly survivors: Int32Array;
  /** A cell of `left`. */
  leftAt(place: number): number;
  readonly trace: OrderTrace;
  /** Place of the largest cell that was left; undefined when this order is backed off from. */
  readonly best: number | undefined;
  /** The token ids of a cell. Length [order]. */
  idsAt(place: number): number[];
}

/** Options of a picture; the table is the place's. */
export type PictureOptions = Omit<FastOptions, 'table' | 'choice' | 'seed'>;

/** As many as stand side by side, and those before them. */
const MOST_CUTS = 12;
const MOST_MASKS = 4;

/**
 * Pictures of one place. What an option does not change is not computed anew: moving ε_b makes no J,
 * moving α_c no plain one.
 */
export class Pictures {
  private readonly memory = new PictureMemory();
  private readonly scratch = new Cells();
  private readonly factors = new Latest<MaskMemory>(1);
  private readonly joints = new Latest<RememberedJoint>(1);
  private readonly cuts = new Latest<Picture | undefined>(MOST_CUTS);

  /** @param recent the latest tokens of the output */
  constructor(
    private readonly proposal: Proposal,
    private readonly recent: readonly number[],
    private readonly table: CooccurrenceTable | undefined,
  ) {}

  /**
   * The picture of an order, or undefined when the proposal has no tokens for it.
   *
   * @throws {RangeError} when an option is out of range
   * @throws {ModelOutputError} when the proposal cannot be one
   */
  picture(options: PictureOptions, order: number): Picture | undefined {
    return this.cuts.get(JSON.stringify([options, order]), () =>
      this.made(this.cutter(options), order),
    );
  }

  /** What fast mode does here when it takes the likeliest tokens. */
  decision(options: PictureOptions): Decision {
    const { settings, cells } = this.cutter(options);
    const joint = this.joint(settings);
    const pictures = backOff(settings, joint.orders, (order) => {
      const picture = this.picture(options, order);
      return { picture, outcome: picture?.trace.outcome ?? 'empty' };
    }).flatMap(({ picture }) => picture ?? []);
    const tried = pictures.map(({ trace }) => trace);
    const last = pictures.at(-1);
    if (last?.best !== undefined) {
      const choices = joint.tokensAt(last.order, last.best);
      return { choices, joint: last.leftAt(last.best), tried };
    }
    joint.fill(cells, 1, 0, undefined);
    const index = cells.largest();
    const choices = joint.tokensAt(1, cells.places[index] ?? 0);
    return { choices, joint: cells.values[index] ?? 0, tried };
  }

  private made(cutter: Cutter, order: number): Picture | undefined {
    const { proposal, recent } = this;
    const { epsilon } = cutter.settings;
    const joint = this.joint(cutter.settings);
    if (order > joint.orders) return undefined;
    const trace = cutter.cut(joint, order, proposal.kind, recent);
    const { cells } = cutter;
    // At ε_b = 1 no order above 1 is tried, whatever the values are.
    const chosen = trace.outcome === 'chosen' && epsilon < 1;
    const shape = joint.shape(order);
    const size = shape.reduce((product, length) => product * length, 1);
    const survivors = cells.places.slice(0, cells.count);
    const values = cells.values.slice(0, cells.count);
    const mask = cutter.mask(proposal.kind);
    return {
      order,
      shape,
      survivors,
      leftAt: (place) => values[indexOf(survivors, place)] ?? 0,
      // Made when they are looked at: few of them are.
      get plain() {
        return joint.dense(order, undefined);
      },
      get masked() {
        return joint.dense(order, mask);
      },
      get left() {
        const tensor = new Float64Array(size);
        survivors.forEach((place, i) => (tensor[place] = values[i] ?? 0));
        return tensor;
      },
      trace,
      best: chosen ? cells.places[cells.largest()] : undefined,
      idsAt: (place) => joint.idsAt(order, place),
    };
  }

  private cutter(options: PictureOptions): Cutter {
    return new Cutter({ ...options, table: this.table, choice: 'likeliest' }, this.memory);
  }

  private joint({ temperature, topK }: { temperature: number; topK: number }): RememberedJoint {
    const make = () => {
      const factors = this.factors.get(String(topK), () => new WeakMap());
      return new RememberedJoint(jointOf(this.proposal, temperature, topK, factors), this.scratch);
    };
    return this.joints.get(`${temperature} ${topK}`, make);
  }
}

/** Where a number stands in an ascending list; -1 if nowhere. */
function indexOf(ascending: Int32Array, wanted: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = ascending[middle] ?? 0;
    if (found === wanted) return middle;
    if (found < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Masks stay the same ones while their options do, so that what was made with them is found again. */
class PictureMemory extends CutMemory {
  private readonly masks = new Latest<CooccurrenceMask>(MOST_MASKS);

  override mask(table: CooccurrenceTable, options: MaskOptions): CooccurrenceMask {
    return this.masks.get(JSON.stringify(options), () => super.mask(table, options));
  }
}

/** One picture; see `Pictures.picture`. */
export function pictureOf(
  proposal: Proposal,
  recent: readonly number[],
  { table, ...options }: FastOptions,
  order: number,
): Picture | undefined {
  return new Pictures(proposal, recent, table).picture(options, order);
}

/** What fast mode does with a proposal when it takes the likeliest tokens. */
export function likeliestDecision(
  proposal: Proposal,
  recent: readonly number[],
  { table, ...options }: FastOptions,
): Decision {
  return new Pictures(proposal, recent, table).decision(options);
}
