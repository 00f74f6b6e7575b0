/**
 * What the page knows and how it changes: what the extension told it, and what its user set. Pure;
 * drawing it is the parts' business, computing from it the model's.
 */
import { z } from 'zod';
import type { Inspection } from '../../src/engine/inspection';
import {
  settingsSchema,
  type ToPage,
  type ViewCard,
  type ViewCompletion,
  type ViewCounters,
  type ViewSettings,
  type ViewState,
  type ViewSweep,
} from './messages';
import { placeOf, type Place } from './model/options';

/** What the page's user set; kept when the page is hidden or the window reloads. */
const keptSchema = z.object({
  /** The controls, where they differ from what was saved when they were moved. */
  settings: settingsSchema.optional(),
  source: z.enum(['cursor', 'prompt']),
  prompt: z.string().max(100_000),
  order: z.int().min(2).max(3),
  layout: z.enum(['plain', 'masked', 'cut', 'all']),
  /** Cells each way. */
  size: z.int().min(5).max(20),
  /** Rank of the third token that J of three tokens is cut at. */
  slice: z.int().min(0).max(49),
  colour: z.enum(['step', 'confidence', 'time']),
});
export type Kept = z.infer<typeof keptSchema>;

const FRESH: Kept = {
  source: 'cursor',
  prompt: 'Please explain',
  order: 2,
  layout: 'cut',
  size: 10,
  slice: 0,
  colour: 'step',
};

export interface Seen {
  readonly where: string;
  readonly place: Place;
}

/** A step of one of the completions. */
export interface StepAt {
  readonly origin: ViewCompletion['origin'];
  readonly step: number;
}

export interface PageState {
  readonly kept: Kept;
  readonly host: ViewState | undefined;
  readonly seen: Seen | undefined;
  readonly looking: boolean;
  /** Why nothing could be looked at. */
  readonly notSeen: string;
  readonly editor: ViewCompletion | undefined;
  /** The completion of which every step is shown, however many, because the user asked for it. */
  readonly everything: ViewCompletion | undefined;
  /** The last completion decoded again with the controls' settings. */
  readonly tried: ViewCompletion | undefined;
  readonly trying: boolean;
  readonly notTried: string;
  /** The step that was chosen, by pointer or keyboard; the picture of it follows. */
  readonly active: StepAt | undefined;
  readonly counters: ViewCounters | undefined;
  readonly sweep: ViewSweep | undefined;
  /** The model card's curve; absent until it is known. */
  readonly card: ViewCard | undefined;
  /** Cell under the pointer or the keyboard's cursor. */
  readonly cell:
    { readonly panel: string; readonly row: number; readonly column: number } | undefined;
}

/** @param kept what `getState` gave; anything that is not a kept state is forgotten */
export function freshState(kept: unknown): PageState {
  const parsed = keptSchema.safeParse(kept);
  return {
    kept: parsed.success ? parsed.data : FRESH,
    host: undefined,
    seen: undefined,
    looking: false,
    notSeen: '',
    editor: undefined,
    everything: undefined,
    tried: undefined,
    trying: false,
    notTried: '',
    active: undefined,
    counters: undefined,
    sweep: undefined,
    card: undefined,
    cell: undefined,
  };
}

/** What a message from the extension changes. */
export function told(state: PageState, message: ToPage): PageState {
  switch (message.type) {
    case 'state':
      return { ...state, host: message.state, kept: settled(state.kept, message.state) };
    case 'looking':
      return { ...state, looking: true, notSeen: '' };
    case 'notSeen':
      return { ...state, looking: false, notSeen: message.message };
    case 'inspection': {
      const { where, place, inspection } = message;
      const seen = { where, place: placeOf(inspection) };
      const kept = inOrder(state.kept, inspection);
      const active = place === 'step' ? state.active : undefined;
      return { ...state, seen, kept, active, looking: false, notSeen: '', cell: undefined };
    }
    case 'completion':
      return withCompletion({ ...state, trying: false, notTried: '' }, message.completion);
    case 'notTried':
      return { ...state, trying: false, notTried: message.message };
    case 'counters':
      return { ...state, counters: message.counters };
    case 'sweep':
      return { ...state, sweep: message.sweep };
    case 'card':
      return { ...state, card: message.card };
  }
}

/** What was tried goes with the completion that it was tried on, and a chosen step with its own. */
function withCompletion(state: PageState, completion: ViewCompletion): PageState {
  if (completion.origin === 'editor') {
    return { ...state, editor: completion, tried: undefined, active: undefined };
  }
  const active = state.active?.origin === 'tried' ? undefined : state.active;
  return { ...state, tried: completion, active };
}

/** The controls' settings: the user's, else those that are saved. */
export function settingsOf({ kept, host }: PageState): ViewSettings | undefined {
  return kept.settings ?? host?.saved;
}

/** Names of the settings in which two differ. */
export function differences(one: ViewSettings, other: ViewSettings): (keyof ViewSettings)[] {
  return settingsSchema.keyof().options.filter((name) => one[name] !== other[name]);
}

/** Kept with the controls moved to these settings, or back to the saved ones. */
export function withSettings(kept: Kept, settings: ViewSettings | undefined): Kept {
  const copy = { ...kept };
  delete copy.settings;
  return settings ? { ...copy, settings } : copy;
}

/** Settings that came to be the saved ones are no longer the page's own. */
function settled(kept: Kept, { saved }: ViewState): Kept {
  const own = kept.settings && differences(kept.settings, saved).length > 0;
  return own ? kept : withSettings(kept, undefined);
}

/** Three tokens can be shown only where there are heads for them. */
function inOrder(kept: Kept, { depth }: Inspection): Kept {
  return kept.order > depth + 1 ? { ...kept, order: 2 } : kept;
}
