/**
 * J for whoever asks for it many times: the whole tensor of an order and a mask is made once, and
 * filled from that whatever the minimum. The cells are those of the joint behind it, bit for bit.
 */
import { Cells } from './cells';
import type { Choice } from './choose';
import type { CooccurrenceMask } from './cooccurrence';
import type { Joint } from './joint';

export class RememberedJoint implements Joint {
  private readonly plain: Float64Array[] = [];
  /** By order; forgotten with the mask. */
  private readonly masked = new WeakMap<CooccurrenceMask, Float64Array[]>();

  /** @param scratch memory for cells on their way */
  constructor(
    private readonly joint: Joint,
    private readonly scratch = new Cells(),
  ) {}

  get orders(): number {
    return this.joint.orders;
  }

  shape(order: number): readonly number[] {
    return this.joint.shape(order);
  }

  idsAt(order: number, place: number): number[] {
    return this.joint.idsAt(order, place);
  }

  holdsAny(order: number, place: number, ids: ReadonlySet<number>): boolean {
    return this.joint.holdsAny(order, place, ids);
  }

  tokensAt(order: number, place: number): Choice[] {
    return this.joint.tokensAt(order, place);
  }

  fill(cells: Cells, order: number, minimum: number, mask: CooccurrenceMask | undefined): void {
    const values = this.known(mask)[order];
    // What is asked for once, and in part, is not worth making whole.
    if (!values && minimum > 0) {
      this.joint.fill(cells, order, minimum, mask);
      return;
    }
    cells.take(values ?? this.dense(order, mask), minimum);
  }

  /** All of J, row-major. It is kept: whoever gets it must not write into it. */
  dense(order: number, mask: CooccurrenceMask | undefined): Float64Array {
    return (this.known(mask)[order] ??= this.made(order, mask));
  }

  /** By order. */
  private known(mask: CooccurrenceMask | undefined): Float64Array[] {
    if (!mask) return this.plain;
    const known = this.masked.get(mask) ?? [];
    this.masked.set(mask, known);
    return known;
  }

  private made(order: number, mask: CooccurrenceMask | undefined): Float64Array {
    const { joint, scratch } = this;
    joint.fill(scratch, order, 0, mask);
    const size = joint.shape(order).reduce((product, length) => product * length, 1);
    return scratch.scatter(size);
  }
}
