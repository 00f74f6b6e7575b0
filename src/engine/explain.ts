/** What went wrong in the engine, in the protocol's terms. Knows messages of errors, nothing of work. */
import { existsSync } from 'node:fs';
import { EngineError } from './errors';
import type { ModelFiles } from './protocol';

/** What V8, C++ and the system say when there is no memory; none of them gives it a code. */
const NO_MEMORY =
  /allocation failed|failed to allocate|bad.?alloc|out of memory|cannot allocate|ENOMEM|not enough memory/i;

/** An error of a request. */
export function explain(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isMemoryError(error)) return outOfMemory(error);
  return new EngineError(error instanceof RangeError ? 'badRequest' : 'model', message);
}

/** An error of loading a model. */
export function explainLoading({ id, ...files }: ModelFiles, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (isMemoryError(error)) return outOfMemory(error);
  const wanted = [files.graph, files.weights, files.tokenizer];
  if (files.heads) wanted.push(files.heads.graph);
  const missing = wanted.find((file) => !existsSync(file));
  const why =
    missing === undefined
      ? `cannot be loaded: ${error instanceof Error ? error.message : String(error)} Run "models verify", then install it again.`
      : `is not complete any more: ${missing} is missing. Install it again.`;
  return new EngineError('model', `The model ${id} ${why}`, { cause: error });
}

function isMemoryError(error: unknown): boolean {
  return error instanceof Error && NO_MEMORY.test(error.message);
}

function outOfMemory(cause: unknown): EngineError {
  return new EngineError(
    'memory',
    'There is not enough memory for the model. Close other programs, or choose a smaller model.',
    { cause },
  );
}
