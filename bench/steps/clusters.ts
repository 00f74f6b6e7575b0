/**
 * What of the tasks is independent: problems and files, not the lines and places of one, which share
 * its text and are often right or wrong together. Pure.
 */
import { clustersOf } from '../bootstrap';
import type { Kind } from './tasks';

interface Task {
  readonly kind: Kind;
  readonly id: string;
}

/** What stands in front of it in an id names the cluster; a kind without one has tasks on their own. */
const SEPARATORS: Readonly<Partial<Record<Kind, string>>> = {
  line: '/',
  span: '/',
  'held-out': ':',
  own: ':',
  sentence: ' #',
};

/** What clusters of a kind are called. */
export const CLUSTER_NAMES: Readonly<Record<Kind, string>> = {
  line: 'problems',
  span: 'problems',
  'held-out': 'files',
  own: 'files',
  sentence: 'sentences',
  prose: 'questions',
};

/** The problem, file or sentence that a task is of. */
export function clusterOf({ kind, id }: Task): string {
  const separator = SEPARATORS[kind];
  const end = separator === undefined ? -1 : id.lastIndexOf(separator);
  return end < 0 ? id : id.slice(0, end);
}

export const clustered = <T extends Task>(tasks: readonly T[]): T[][] =>
  clustersOf(tasks, clusterOf);
