/**
 * What stands at the places of tasks. Files change, so a row has the hash of what stood there when its
 * texts were made, and of our own code, which changes often, what stood there: they are compared with
 * nothing else. Pure.
 */
import { createHash } from 'node:crypto';
import { keyOf, type ResultRow } from './results';
import type { StepTask } from './tasks';

/** What stands at each place, by kind and id; places of prose have nothing. */
export type Expected = ReadonlyMap<string, string>;

export function expectedOf(tasks: readonly StepTask[]): Expected {
  return new Map(
    tasks.flatMap((task) => (task.prompt === undefined ? [[keyOf(task), task.expected]] : [])),
  );
}

/** What the row of a task tells of its place; nothing where nothing stands at it. */
export function toldOf(task: StepTask): Pick<ResultRow, 'expectedSha256' | 'expected'> {
  if (task.prompt !== undefined) return {};
  const { kind, expected } = task;
  return { expectedSha256: hashOf(expected), ...(kind === 'own' && { expected }) };
}

/** What a row's texts are to be compared with: what the row holds, else what stands there now. */
export const standingAt = (row: ResultRow, expected: Expected): string | undefined =>
  row.expected ?? expected.get(keyOf(row));

const HASH_DIGITS = 16;

const hashOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS);

/** What was measured can no longer be compared with what stands there. */
export class PlacesChanged extends Error {}

/**
 * @param path of the rows' file
 * @throws {PlacesChanged} when something else stood at a place when its row was made; older rows do not tell
 */
export function checkPlaces(path: string, rows: readonly ResultRow[], expected: Expected): void {
  const changed = rows.filter((row) => {
    const text = standingAt(row, expected);
    const now = text === undefined ? undefined : hashOf(text);
    return row.expectedSha256 !== undefined && row.expectedSha256 !== now;
  });
  const [first] = changed;
  if (!first) return;
  const places = changed.length === 1 ? 'a place' : `${changed.length} places`;
  throw new PlacesChanged(
    `${path}: what stands at ${places} (${first.id}) has changed since it was measured. Delete such rows, ` +
      `or the file, and measure again.`,
  );
}
