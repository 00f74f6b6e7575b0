/** What fast mode would do at a place, order by order, for people. */
import type { OrderTrace } from '../../../src/decoding/cut';
import type { ViewSettings } from '../messages';
import type { Label } from './label';
import { optionsOf, type Place } from './options';

export interface Rung extends OrderTrace {
  /** Why it was taken, or backed off from. */
  readonly why: string;
}

export interface Ladder {
  /** Orders that were tried, largest first; none at ε_b = 1 or without heads. */
  readonly rungs: readonly Rung[];
  readonly tokens: readonly Label[];
  /** J of the tokens; head 1's probability when there is but one. */
  readonly joint: number;
}

export function ladderOf(place: Place, settings: ViewSettings): Ladder {
  const pictures = place.pictures(settings.chains);
  const { choices, joint, tried } = pictures.decision(optionsOf(settings));
  return {
    rungs: tried.map((trace) => ({ ...trace, why: reason(trace) })),
    tokens: choices.map(({ id }) => place.label(id)),
    joint,
  };
}

function reason({ outcome, unmasked, staticThreshold, order }: OrderTrace): string {
  if (outcome === 'chosen') return unmasked ? 'taken, without the mask' : 'taken';
  if (outcome === 'low') return 'the repetition penalty left none';
  return staticThreshold > 0 ? `none reaches ε${order === 3 ? '²' : ''}` : 'none is above 0';
}
