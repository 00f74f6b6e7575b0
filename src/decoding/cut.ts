/**
 * What the thresholds leave of J, one order at a time: mask, static threshold, adaptive threshold,
 * repetition penalty. Fast mode decides on what is left, and the threshold view shows it.
 *
 * The blur serves to find the adaptive threshold; J itself stays sharp.
 */
import { Blur, type Values } from './blur';
import { Cells } from './cells';
import { CooccurrenceMask, type CooccurrenceTable, type MaskOptions } from './cooccurrence';
import { checkFastOptions, FAST_DEFAULTS, type FastOptions } from './fast-options';
import type { Joint } from './joint';
import type { Proposal } from './proposal';
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

/** What several cutters can share, if they cut one after the other. */
export class CutMemory {
  readonly cells = new Cells();
  readonly blur = new Blur();

  mask(table: CooccurrenceTable, options: MaskOptions): CooccurrenceMask {
    return new CooccurrenceMask(table, options);
  }
}

/** α_c for a kind of heads: chained ones know what stands before them. 0 without a table. */
export function exponentOf(
  { table, mask }: Pick<Required<FastOptions>, 'table' | 'mask'>,
  kind: Proposal['kind'],
): number {
  return table === undefined ? 0 : (mask.alpha ?? (kind === 'independent' ? 1 : 0));
}

export class Cutter {
  /** What the last cut left, in the order of J. */
  readonly cells: Cells;
  readonly settings: Required<FastOptions>;
  private readonly blur: Blur;
  private readonly masks: Readonly<Record<Proposal['kind'], CooccurrenceMask | undefined>>;

  /** @throws {RangeError} when an option is out of range */
  constructor(options: FastOptions, memory = new CutMemory()) {
    this.settings = { ...FAST_DEFAULTS, ...options };
    checkFastOptions(this.settings);
    this.cells = memory.cells;
    this.blur = memory.blur;
    const { table, mask } = this.settings;
    const maskOf = (kind: Proposal['kind']) => {
      const alpha = exponentOf(this.settings, kind);
      return table && alpha !== 0 ? memory.mask(table, { ...mask, alpha }) : undefined;
    };
    this.masks = { independent: maskOf('independent'), chained: maskOf('chained') };
  }

  /** The mask of a kind of heads; undefined where J is taken as it is. */
  mask(kind: Proposal['kind']): CooccurrenceMask | undefined {
    return this.masks[kind];
  }

  /** Leaves in `cells` what may be chosen at an order. `recent`: the latest tokens of the output. */
  cut(joint: Joint, order: number, kind: Proposal['kind'], recent: readonly number[]): OrderTrace {
    const { cells, settings } = this;
    const { epsilon } = settings;
    const threshold = staticThreshold(epsilon, order);
    const minimum = settings.useStatic ? threshold : 0;
    joint.fill(cells, order, minimum, this.mask(kind));
    const unmasked = epsilon === 0 && cells.count === 0;
    if (unmasked) joint.fill(cells, order, minimum, undefined);
    const trace = { order, staticThreshold: threshold, unmasked };
    if (cells.count === 0) return { ...trace, survivors: 0, largest: 0, outcome: 'empty' };

    let adaptive = {};
    if (settings.useOtsu) {
      const adaptiveThreshold = otsuThreshold(this.valuesOf(joint.shape(order)));
      cells.drop(adaptiveThreshold);
      adaptive = { adaptiveThreshold };
    }
    penalise(cells, joint, order, recent, settings);
    const largest = cells.values[cells.largest()] ?? 0;
    const outcome = largest >= threshold ? 'chosen' : 'low';
    return { ...trace, ...adaptive, survivors: cells.count, largest, outcome };
  }

  /** What Otsu's threshold is sought in. */
  private valuesOf(shape: readonly number[]): Values {
    const { cells, settings, blur } = this;
    if (settings.useBlur) return blur.apply(cells, shape);
    const size = shape.reduce((product, length) => product * length, 1);
    return { values: cells.values.subarray(0, cells.count), zeros: size - cells.count };
  }
}
