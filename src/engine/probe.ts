/**
 * Asks a process of its own how a model answers on one execution provider. A driver may crash it or
 * let it hang: it is ended, and that is the answer.
 */
import { messageOf } from '../models/errors';
import type { Clock } from './clock';
import { EngineError } from './errors';
import { EngineProcess, type Answer, type ProcessTiming } from './process';
import type { LoadOptions, ModelFiles, ProbeResult } from './protocol';
import type { Failure } from './provider';

export interface ProbeOptions {
  /** Path of the bundled worker. */
  readonly worker: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly priority?: number;
  readonly timing?: ProcessTiming;
  readonly clock?: Clock;
  readonly onStderr?: (text: string) => void;
}

/** What keeps a probe from an answer. */
export type ProbeFailure = Extract<Failure, 'crash' | 'hang' | 'memory' | 'error'>;

export type ProbeOutcome =
  { readonly answer: ProbeResult } | { readonly failure: ProbeFailure; readonly why: string };

/** A provider's first session may compile kernels for a minute; a step never takes seconds. */
export const PROBE_TIMING: ProcessTiming = {
  start: 20_000,
  ping: 2_000,
  hang: 30_000,
  hangLoading: 120_000,
  stall: 120_000,
  shutdown: 2_000,
};

/** Never throws: whatever goes wrong is the outcome. */
export async function probe(
  { timing = PROBE_TIMING, ...options }: ProbeOptions,
  model: ModelFiles,
  load: LoadOptions,
): Promise<ProbeOutcome> {
  const process = new EngineProcess({ ...options, timing });
  try {
    await process.ready;
    await process.request({ type: 'load', model, options: load });
    return { answer: answerOf(await process.request({ type: 'probe' })) };
  } catch (error) {
    const why = messageOf(error);
    return { failure: failureOf(error, process.hung), why };
  } finally {
    await process.shutdown();
  }
}

function answerOf(answer: Answer): ProbeResult {
  if (answer.type === 'result' && answer.result.kind === 'probe') return answer.result;
  throw new EngineError('protocol', 'The engine did not answer with a probe.');
}

function failureOf(error: unknown, hung: boolean): ProbeFailure {
  if (hung) return 'hang';
  const code = error instanceof EngineError ? error.code : undefined;
  if (code === 'memory') return 'memory';
  return code === 'crashed' ? 'crash' : 'error';
}
