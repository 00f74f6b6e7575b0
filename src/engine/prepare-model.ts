/**
 * Has a process of its own prepare a model for this processor, see models/prepared.ts: it takes as much
 * memory as the model and blocks for seconds, and must not outlive whoever wants it.
 */
import { EngineError } from './errors';
import { EngineProcess, PROCESS_TIMING, type ProcessOptions } from './process';
import type { LoadOptions, ModelFiles } from './protocol';

/**
 * @returns whether the model is prepared now; not where the disk has no room for it
 * @throws {EngineError} when it cannot be done, or another process is at it
 * @throws the signal's reason when aborted
 */
export async function prepareModel(
  { timing = PROCESS_TIMING, ...options }: ProcessOptions,
  model: ModelFiles,
  load: LoadOptions,
  signal?: AbortSignal,
): Promise<boolean> {
  const process = new EngineProcess({ ...options, timing });
  try {
    await process.ready;
    const answer = await process.request({ type: 'prepare', model, options: load }, signal);
    if (answer.type === 'result' && answer.result.kind === 'prepared') {
      return answer.result.prepared;
    }
    throw new EngineError('protocol', 'The engine did not answer with what was prepared.');
  } finally {
    await process.shutdown();
  }
}
