/**
 * How long a request may go on: until its caller aborts it or its time is up, whichever is first.
 */
import type { Clock } from './clock';
import { EngineError } from './errors';

export interface Limit {
  /** Aborted with an EngineError: `cancelled` or `deadline`. */
  readonly signal: AbortSignal;
  /** Must be called when the request has ended; removes listener and timer. */
  release(): void;
}

export function startLimit(clock: Clock, caller?: AbortSignal, ms?: number): Limit {
  const controller = new AbortController();
  const cancel = () => controller.abort(new EngineError('cancelled', 'The request was cancelled.'));
  if (caller?.aborted) cancel();
  else caller?.addEventListener('abort', cancel, { once: true });
  const stopTimer =
    ms === undefined
      ? undefined
      : clock.after(ms, () =>
          controller.abort(new EngineError('deadline', 'The engine did not answer in time.')),
        );
  return {
    signal: controller.signal,
    release() {
      caller?.removeEventListener('abort', cancel);
      stopTimer?.();
    },
  };
}

/** Waits for `promise`, but no longer than `signal` allows; then it rejects with its reason. */
export function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // The reasons of a limit are EngineErrors.
    const abort = () => reject(signal.reason as EngineError);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
