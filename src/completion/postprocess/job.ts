/**
 * What every rule is given. A rule looks at the text of a completion, line breaks `\n`, and says how
 * many leading characters of it stay: rules shorten, none can add or change a character.
 */
import { cursorLines, indentation, isBlank, type CursorLines } from '../text';
import type { CursorContext } from '../types';

export interface Job extends CursorLines {
  readonly context: CursorContext;
  readonly multiline: boolean;
  /**
   * Whether the text is complete. While it still grows, a rule must not judge its last line by
   * what it does not yet have.
   */
  readonly complete: boolean;
  /** Whether the token limit or the deadline ended the text, not the model. */
  readonly interrupted: boolean;
  /** Columns below which a line has left the block that the cursor stands in. */
  readonly reference: number;
  /** The lines below the cursor's that are not blank, trailing white space removed. */
  readonly following: readonly string[];
  /** Those of them at column 0, behind the next one, that say too much to be written twice. */
  readonly definitions: ReadonlySet<string>;
}

/** Lines below the cursor that count as definitions, those that are not blank. */
const MOST_LINES = 30;
/** Characters of a line at column 0 that is not written twice. */
const LONG = 12;

/** Characters of `text` to keep, 0 to its length. */
export type Rule = (text: string, job: Job) => number;

export function createJob(
  context: CursorContext,
  multiline: boolean,
  complete: boolean,
  interrupted = false,
): Job {
  const lines = cursorLines(context);
  const following = lines.below.filter((line) => !isBlank(line)).map((line) => line.trimEnd());
  const definitions = following
    .slice(1, MOST_LINES)
    .filter((line) => /^\S/.test(line) && line.length >= LONG);
  return {
    ...lines,
    context,
    multiline,
    complete,
    interrupted,
    reference: indentation(lines.left),
    following,
    definitions: new Set(definitions),
  };
}

export interface TextLine {
  readonly text: string;
  /** Where it begins in the completion. */
  readonly start: number;
  /** Where a cut in front of it ends the text: before its line break, 0 for the first line. */
  readonly cut: number;
  /** Whether more of it may come. */
  readonly open: boolean;
}

/** The completion's lines; the first continues the cursor's line and is its own text only. */
export function linesOf(text: string, job: Job): TextLine[] {
  let start = 0;
  const parts = text.split('\n');
  return parts.map((part, index) => {
    const line = {
      text: part,
      start,
      cut: Math.max(0, start - 1),
      open: !job.complete && index === parts.length - 1,
    };
    start += part.length + 1;
    return line;
  });
}

/** Only closing brackets, or a word that ends a block. */
export function isClosingLine(line: string): boolean {
  return /^\s*(?:[)\]}]+[;,)]*|(?:end|fi|done|esac)[;,)]*)\s*$/.test(line);
}

/** A line that says enough for a copy of it to be no accident. */
export function isDistinct(line: string): boolean {
  return line.replace(/\s/g, '').length >= 3 && /[\p{L}\p{N}_]/u.test(line) && !isClosingLine(line);
}
