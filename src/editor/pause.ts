/** Pausing completions for a while, in this window alone. */
import * as vscode from 'vscode';

export class Pause implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  #until: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  get active(): boolean {
    return this.#until !== undefined && Date.now() < this.#until;
  }

  /** When completions come back, ms since the epoch; Infinity is "when the user says so". */
  get until(): number | undefined {
    return this.active ? this.#until : undefined;
  }

  start(minutes = Infinity): void {
    clearTimeout(this.#timer);
    this.#until = Date.now() + minutes * 60_000;
    if (Number.isFinite(minutes)) {
      this.#timer = setTimeout(() => this.end(), minutes * 60_000);
      this.#timer.unref();
    }
    this.#changed.fire();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#until = undefined;
    this.#changed.fire();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#changed.dispose();
  }
}
