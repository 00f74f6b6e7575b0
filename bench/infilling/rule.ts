/**
 * What counts as a single-line completion, and which program tests it.
 *
 * - The *line* of a completion is its text up to the first line feed behind visible text; blank
 *   lines before are kept. Without such a line feed it is the whole text.
 * - A task passes when prefix + line + line feed + suffix + line feed + test + line feed +
 *   `check(entry point)` runs to its end. (The hole of every single-line task ends with the line
 *   feed that the rule puts back; indentation belongs to the line and is the model's business.)
 * - In random-span infilling the hole may begin and end within lines, and base models seldom end by
 *   themselves, so what the editor would show of the whole completion is put between prefix and suffix.
 * - A line matches exactly when it equals the hole's own, trailing white space aside.
 */
import { postprocess } from '../../src/completion/postprocess/index';
import { createStopper } from '../../src/completion/stop';
import type { InfillingTask } from './tasks';

/** Everything but space, tab, carriage return and line feed is visible. */
const VISIBLE = /[^ \t\r\n]/;

export function completedLine(text: string): string {
  const visible = text.search(VISIBLE);
  if (visible < 0) return text;
  const end = text.indexOf('\n', visible);
  return (end < 0 ? text : text.slice(0, end)).replace(/\r$/, '');
}

export function programOf(task: InfillingTask, line: string): string {
  return testing(task, `${line}\n`, task.suffix);
}

/** @param interrupted whether the model would have gone on: a last line that it did not finish may go */
export function spanProgramOf(task: InfillingTask, raw: string, interrupted: boolean): string {
  const { prefix, suffix } = task;
  const context = { prefix, suffix, language: 'python' };
  const stopped = createStopper({ context, multiline: true }).next(raw, []);
  const shown = postprocess(raw.slice(0, stopped?.keep), context, {
    ...{ multiline: true, interrupted: interrupted && stopped === undefined },
  });
  return testing(task, shown?.text ?? '', suffix.slice(shown?.replace));
}

function testing({ prefix, test, entryPoint }: InfillingTask, text: string, rest: string): string {
  return `${prefix}${text}${rest}\n${test}\ncheck(${entryPoint})\n`;
}

export function matchesExactly(task: InfillingTask, line: string): boolean {
  return line.trimEnd() === task.solution.trimEnd();
}
