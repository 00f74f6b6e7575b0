/** What went wrong in the engine, in the protocol's terms. Knows messages of errors, nothing of work. */
import { existsSync } from 'node:fs';
import { messageOf } from '../models/errors';
import { EngineError } from './errors';
import type { ModelFiles, Provider } from './protocol';
import { nameOf } from './provider';

/** Characters of what ONNX Runtime says of a device: its messages may fill pages. */
const MESSAGE = 500;

/** What V8, C++ and the system say when there is no memory; none of them gives it a code. */
const NO_MEMORY =
  /allocation failed|failed to allocate|bad.?alloc|out of memory|cannot allocate|ENOMEM|not enough memory|8007000E/i;

/** An error of a request. */
export function explain(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = messageOf(error);
  if (isMemoryError(error)) return outOfMemory(error);
  return new EngineError(error instanceof RangeError ? 'badRequest' : 'model', message);
}

/**
 * An error of work on a GPU, loading included. What is no one else's doing is taken for the driver's:
 * ONNX Runtime gives neither a lost device nor a full one a code of its own.
 */
export function explainDevice(provider: Provider, error: unknown): unknown {
  if (provider.name === 'cpu' || error instanceof EngineError || error instanceof RangeError) {
    return error;
  }
  const what = isMemoryError(error) ? 'has not enough memory for the model' : deviceFailure(error);
  const code = isMemoryError(error) ? 'memory' : 'device';
  return new EngineError(code, `The GPU (${nameOf(provider)}) ${what}`, { cause: error });
}

/** What CUDA said is in the middle of pages of C++; which library could not be loaded is only logged. */
function deviceFailure(error: unknown): string {
  const message = messageOf(error);
  if (/AppendExecutionProvider_Cuda.*Failed to load shared library/is.test(message)) {
    return 'cannot be used: CUDA 13 or its driver is missing, or too old. See docs/gpu.md.';
  }
  const cuda = /CUDA failure \d+: [^;\n]+/.exec(message)?.[0].trim();
  return `failed: ${cuda ?? message.slice(0, MESSAGE).trim()}`;
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
      ? `cannot be loaded: ${messageOf(error)} Run "models verify", then install it again.`
      : `is not complete any more: ${missing} is missing. Install it again.`;
  return new EngineError('model', `The model ${id} ${why}`, { cause: error });
}

export function isMemoryError(error: unknown): boolean {
  return error instanceof Error && NO_MEMORY.test(error.message);
}

function outOfMemory(cause: unknown): EngineError {
  return new EngineError(
    'memory',
    'There is not enough memory for the model. Close other programs, or choose a smaller model.',
    { cause },
  );
}
