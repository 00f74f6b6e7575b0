/** What the parts of the page are given: the state, and what they may do. */
import type { ToHost, ViewCompletion, ViewSettings } from './messages';
import type { Kept, PageState, StepAt } from './state';

export interface Page {
  readonly state: PageState;
  send(message: ToHost): void;
  /** Changes what is kept, and draws. */
  keep(change: Partial<Kept>): void;
  /** Changes the controls' settings. */
  set(change: Partial<ViewSettings>): void;
  point(cell: PageState['cell']): void;
  look(): void;
  /** Chooses a step of a completion, and looks at what it was decided from. */
  lookAtStep(step: StepAt): void;
  /** Shows every step of a completion, however many. */
  showAll(completion: ViewCompletion): void;
}
