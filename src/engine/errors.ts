/**
 * The errors that cross the process boundary. Every request ends in a result or in one of these.
 */

export const ERROR_CODES = [
  /** The caller, or a newer completion, took the request back. */
  'cancelled',
  /** Nothing came in the time that the request allowed. */
  'deadline',
  /** The engine's process ended or stopped answering while the request was running. */
  'crashed',
  /** The engine gave up after several crashes, or was disposed of. */
  'stopped',
  /** No model is loaded. */
  'notLoaded',
  /** The request itself cannot be served. */
  'badRequest',
  /** The model could not be loaded, or returned nonsense. */
  'model',
  /** There is not enough memory. */
  'memory',
  /** A GPU or its driver failed. */
  'device',
  /** The two sides do not speak the same protocol. */
  'protocol',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** One clear error, with a code to act on and a message to show. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A message that is not part of the protocol. Its text names fields, never their contents. */
export class ProtocolError extends EngineError {
  constructor(what: string, options?: ErrorOptions) {
    super('protocol', what, options);
  }
}
