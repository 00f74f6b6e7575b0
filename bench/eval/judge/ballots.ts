/** What a judge is asked, within a number of judgements: controls first, then pairs and marks. Pure. */
import { createHash } from 'node:crypto';
import { seededRandom } from '../../../src/decoding/random';
import type { JudgeRow } from './results';

/** What one task became in every mode. */
export interface Texts {
  /** Name of the results file. */
  readonly file: string;
  readonly task: string;
  readonly question: string;
  readonly byMode: Readonly<Record<string, string>>;
}

export type Ballot = Pick<JudgeRow, 'type' | 'texts' | 'task' | 'mode' | 'first'> & {
  readonly sha256: string;
  readonly question: string;
  readonly plain: string;
  readonly own: string;
};

const CONTROLS = 10;
/** Texts that both controls are made of, of all judgements; half of them are then controls at most. */
const CONTROLS_SHARE = 0.25;
/** Of what the controls leave. */
const MARKS_SHARE = 0.25;

/** At most `limit`; a pair is always asked in both orders. Fewer where there are too few texts. */
export function ballotsOf(all: readonly Texts[], limit: number, seed: number): Ballot[] {
  const usable = inTurn(all.filter(({ byMode }) => (byMode['ar'] ?? '').trim() !== ''));
  const controls = Math.min(CONTROLS, Math.floor(limit * CONTROLS_SHARE));
  const long = [...usable]
    .sort((a, b) => (b.byMode['ar'] ?? '').length - (a.byMode['ar'] ?? '').length)
    .slice(0, controls);
  const first = (i: number) => (i % 2 === 0 ? 'plain' : 'own') as JudgeRow['first'];
  const ballot = (
    texts: Texts,
    type: JudgeRow['type'],
    mode: string,
    order: JudgeRow['first'],
    own = texts.byMode[mode] ?? '',
  ): Ballot => ({
    ...{ type, texts: texts.file, sha256: textsHash(texts, mode), task: texts.task, mode },
    ...{ first: order },
    ...{ question: texts.question, plain: texts.byMode['ar'] ?? '', own },
  });
  const asked = long.flatMap((texts, i) => [
    ballot(texts, 'identical', 'ar', first(i)),
    ballot(texts, 'damaged', 'ar', first(i), damaged(texts.byMode['ar'] ?? '', seed + i)),
  ]);

  const left = Math.max(0, limit - asked.length);
  const marks = usable
    .flatMap((texts) =>
      Object.keys(texts.byMode).map((mode) => ballot(texts, 'single', mode, 'own')),
    )
    .slice(0, Math.floor(left * MARKS_SHARE));
  const pairs = usable.flatMap((texts) =>
    Object.keys(texts.byMode)
      .filter((mode) => mode !== 'ar')
      .map((mode) => [ballot(texts, 'pair', mode, 'plain'), ballot(texts, 'pair', mode, 'own')]),
  );
  const room = Math.floor((left - marks.length) / 2);
  return [...asked, ...pairs.slice(0, room).flat(), ...marks];
}

/** SHA-256 of what a mode's verdicts are about: the question, plain decoding's text and the mode's. */
export function textsHash({ question, byMode }: Texts, mode: string): string {
  const about = JSON.stringify([question, byMode['ar'], byMode[mode]]);
  return createHash('sha256').update(about).digest('hex');
}

/** The first text of every file, then the second ones, so that a limit leaves each its share. */
function inTurn(all: readonly Texts[]): Texts[] {
  const seen = new Map<string, number>();
  const placed = all.map((texts) => {
    const place = seen.get(texts.file) ?? 0;
    seen.set(texts.file, place + 1);
    return { texts, place };
  });
  return placed.sort((a, b) => a.place - b.place).map(({ texts }) => texts);
}

/** The words of a text in another order: whoever reads it sees that it is worse. */
export function damaged(text: string, seed: number): string {
  const random = seededRandom(seed);
  const words = text.split(/\s+/).filter((word) => word !== '');
  for (let i = words.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [words[i], words[j]] = [words[j] ?? '', words[i] ?? ''];
  }
  return words.join(' ');
}
