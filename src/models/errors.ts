/**
 * The one error class of the models room: something that went wrong for a reason that a user can
 * understand. Its message is a whole sentence or two: what happened, and what to do next.
 */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/** `code` of a Node system error such as `ENOENT`, or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same, with the cause that `fetch` hides behind "fetch failed". */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (!(cause instanceof Error) || error.message.includes(cause.message)) return error.message;
  return `${error.message} (${cause.message === '' ? (errorCode(cause) ?? cause.name) : cause.message})`;
}

/** Turns the system errors that users meet into sentences; others pass unchanged. */
export function explainSystemError(error: unknown, doing: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ModelError(
        `The disk is full (while ${doing}). Free some space, or point DYNAMO_HOME at another disk, and install again; what was downloaded is kept.`,
        { cause: error },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EBUSY':
      return new ModelError(
        `A file could not be written (while ${doing}): ${describeError(error)}. Check the folder's permissions, close programs that use the model, or set DYNAMO_HOME to a folder of yours.`,
        { cause: error },
      );
    default:
      return error;
  }
}
