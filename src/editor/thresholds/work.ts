/**
 * What the threshold view asks of the engine: all of it in the background, so that it waits for
 * whoever types, and asks again when it had to give way.
 */
import type { ViewSettings } from '../../../media/thresholds/messages';
import type { Engine } from '../../engine/client';
import type { Inspection } from '../../engine/inspection';
import type { CompletionRequest, CompletionResult, InspectRequest } from '../../engine/protocol';
import { codeOf, type Session } from '../session';

/** Pause before asking again, ms, and how often at most. */
const AGAIN_MS = 250;
const MOST_TRIES = 40;
/** A completion in the background may take its time. */
const DEADLINE_MS = 30_000;

/** First tokens that chained heads are asked about at every look: as many as settings can want. */
const CHAINS = 4;

/** Parts of a request that these settings decide. */
export function decodingOf(
  settings: ViewSettings,
): Pick<CompletionRequest, 'mode' | 'epsilon' | 'fast' | 'drafts'> {
  const { mode, epsilon, lookup, ...fast } = settings;
  return { mode, epsilon, fast, drafts: { lookup } };
}

export class BackgroundWork {
  constructor(private readonly session: Session) {}

  async complete(
    request: CompletionRequest,
    settings: ViewSettings | undefined,
    signal: AbortSignal,
  ): Promise<CompletionResult> {
    const body: CompletionRequest = {
      ...request,
      ...(settings && decodingOf(settings)),
      background: true,
      trace: { candidates: 1 },
      deadlineMs: DEADLINE_MS,
    };
    return await this.#patiently((engine) => engine.complete(body, signal), signal);
  }

  async inspect(request: Omit<InspectRequest, 'chains'>, signal: AbortSignal): Promise<Inspection> {
    return await this.#patiently(
      (engine) => engine.inspect({ ...request, chains: CHAINS }, signal),
      signal,
    );
  }

  async #patiently<T>(ask: (engine: Engine) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const engine = await this.session.engine();
      try {
        return await ask(engine);
      } catch (error) {
        if (codeOf(error) !== 'cancelled' || signal.aborted || tries === MOST_TRIES) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
