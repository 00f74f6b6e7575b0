/**
 * What is typed where: real files with two blocks of lines left out, which the bench writes back as
 * their author did. Pure; the same visits in every run.
 */

/** A block of lines that is missing from a file. */
export interface Gap {
  /** The line in front of it, 1-based, in the file without gaps. */
  readonly line: number;
  /** Its lines without indentation: an editor indents by itself. */
  readonly lines: readonly string[];
}

export interface Visit {
  /** Name of the copy that is opened. */
  readonly name: string;
  /** The file without the lines of both gaps. */
  readonly text: string;
  /** Two places far from each other: the second one is the jump's. */
  readonly gaps: readonly [Gap, Gap];
  /** From the opening, or the jump, to the first key, ms. */
  readonly pauseMs: number;
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

const LINES_PER_GAP = 3;
/** Whoever opens a file or turns to another place looks first, or does not. */
const PAUSES_MS = [0, 1000];

/** `rounds` visits of each file, each at other places. */
export function visitsOf(files: readonly SourceFile[], rounds: number): Visit[] {
  return Array.from({ length: rounds }, (_, round) =>
    files.flatMap((file, index) => {
      const visit = visitOf(file, round, index);
      return visit ? [visit] : [];
    }),
  ).flat();
}

function visitOf({ name, text }: SourceFile, round: number, index: number): Visit | undefined {
  const lines = text.split('\n');
  const starts = lines.flatMap((_, at) => (isGap(lines, at) ? [at] : []));
  const half = lines.length / 2;
  const first = pick(
    starts.filter((at) => at < half - LINES_PER_GAP),
    round,
  );
  const second = pick(
    starts.filter((at) => at > half),
    round,
  );
  if (first === undefined || second === undefined) return undefined;
  const gap = (at: number): string[] => lines.slice(at, at + LINES_PER_GAP);
  const left = [...lines];
  left.splice(second, LINES_PER_GAP);
  left.splice(first, LINES_PER_GAP);
  const trimmed = (at: number) => gap(at).map((line) => line.trim());
  return {
    name: `visit${round}-${name}`,
    text: left.join('\n'),
    gaps: [
      { line: first, lines: trimmed(first) },
      // The first gap's lines have been typed by then.
      { line: second, lines: trimmed(second) },
    ],
    pauseMs: PAUSES_MS[(round + index) % PAUSES_MS.length] ?? 0,
  };
}

/** Whether lines of a block begin at `at`, behind a line that has text. */
function isGap(lines: readonly string[], at: number): boolean {
  const block = lines.slice(at - 1, at + LINES_PER_GAP);
  if (at < 2 || block.length < LINES_PER_GAP + 1) return false;
  return block.slice(1).every((line) => /^\s+\S.{8,80}$/.test(line)) && /\S/.test(block[0] ?? '');
}

/** Spread over all of them, other ones in each round. */
function pick(all: readonly number[], round: number): number | undefined {
  return all[Math.floor(((round * 0.618 + 0.31) % 1) * all.length)];
}

/** Where in a line typing rests: somewhere in its middle, behind a word character where there is one. */
export function restOf(line: string, seed: number): number {
  const from = Math.max(2, Math.floor(line.length * (0.25 + 0.4 * ((seed * 0.618) % 1))));
  for (let at = from; at < line.length - 1; at += 1) {
    if (/\w/.test(line[at - 1] ?? '')) return at;
  }
  return from;
}
