/**
 * The steps of a request that may have to be begun again: what was told is not told twice. Pure.
 *
 * The text is worked out anew, perhaps by a graph that rounds otherwise. While it repeats what its
 * caller has, nothing is told; where it says something else, or ends before, what was told cannot be
 * taken back, and the request fails.
 */
import { EngineError } from './errors';
import type { StepSummary } from './protocol';

export class Retelling {
  #told = '';
  #current = '';
  #repeating = false;
  #failed = false;
  readonly #onStep: ((step: StepSummary) => void) | undefined;

  /** @param onStep the caller's listener; without it there is nothing to repeat */
  constructor(onStep: ((step: StepSummary) => void) | undefined) {
    this.#onStep = onStep;
  }

  /** Whether the text went on otherwise than it had been told. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The request begins again. */
  begin(): void {
    this.#current = '';
    this.#repeating = this.#told !== '';
  }

  /** @throws {EngineError} `crashed` where the text contradicts what was told */
  tell(step: StepSummary): void {
    this.#current += step.text;
    if (this.#repeating && this.#told.startsWith(this.#current)) return;
    if (!this.#current.startsWith(this.#told)) this.#fail();
    const text = this.#current.slice(this.#told.length);
    this.#told = this.#current;
    this.#repeating = false;
    this.#onStep?.({ ...step, text });
  }

  /**
   * The text is whole.
   *
   * @throws {EngineError} `crashed` where more had been told
   */
  end(): void {
    if (this.#repeating && this.#current !== this.#told) this.#fail();
  }

  #fail(): never {
    this.#failed = true;
    throw new EngineError(
      'crashed',
      'The GPU failed in the middle of a text, which goes on otherwise on the CPU. Ask again.',
    );
  }
}
