/**
 * Prepares a model's graphs for this processor, see models/prepared.ts, so that it loads faster the next
 * time: once, some time after it was loaded, on one core and with a low priority.
 */
import { constants } from 'node:os';
import type * as vscode from 'vscode';
import type { ModelFiles } from '../engine/protocol';
import { messageOf } from '../models/errors';

/** From loading to preparing: whoever opens an editor types first. */
const DELAY_MS = 30_000;

export class Preparation implements vscode.Disposable {
  readonly #abort = new AbortController();
  /** Graphs that were tried in this window. */
  readonly #tried = new Set<string>();

  constructor(
    private readonly worker: string,
    private readonly log: Pick<vscode.LogOutputChannel, 'info' | 'warn'>,
    private readonly delayMs = DELAY_MS,
  ) {}

  begin(model: ModelFiles): void {
    if (this.#tried.has(model.graph) || this.#abort.signal.aborted) return;
    this.#tried.add(model.graph);
    const timer = setTimeout(() => void this.#prepare(model), this.delayMs);
    this.#abort.signal.addEventListener('abort', () => clearTimeout(timer));
  }

  dispose(): void {
    this.#abort.abort(new Error('The editor is closing.'));
  }

  async #prepare(model: ModelFiles): Promise<void> {
    const { signal } = this.#abort;
    try {
      const { prepareModel } = await import('../engine/prepare-model');
      const priority = constants.priority.PRIORITY_BELOW_NORMAL;
      const started = performance.now();
      const process = { worker: this.worker, priority };
      const done = await prepareModel(process, model, { threads: 1 }, signal);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      this.log.info(
        done
          ? `${model.id} was prepared for this processor in ${seconds} s; it loads faster from now on.`
          : `${model.id} was not prepared for this processor: the disk has no room for it.`,
      );
    } catch (error) {
      if (signal.aborted) return;
      const why = messageOf(error);
      this.log.warn(`${model.id} was not prepared for this processor: ${why}`);
    }
  }
}
