/** What the command lines of the benches share: flags, and how errors are told. */
import { parseArgs } from 'node:util';

/** Told together with how the bench is used. */
export class UsageError extends Error {}

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

/** @throws {UsageError} for flags that there are none of */
export function parse<const T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws {UsageError} naming the flag and what it takes */
export function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${name} takes ${allowed.join(', ')}.`);
  return found;
}

/** @throws {UsageError} naming the flag and what it takes */
export function whole(name: string, value: string, least = 1): number {
  if (/^\d{1,9}$/.test(value) && Number(value) >= least) return Number(value);
  throw new UsageError(`${name} takes a whole number of at least ${least}.`);
}

/** Tells an error. @returns the exit code for it */
export function tell(error: unknown, usage: string): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${message}\n${usage}\n` : `${message}\n`);
  return error instanceof UsageError ? 2 : 1;
}
