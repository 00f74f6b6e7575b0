/** The words of a judge's questions, and what its answers mean. Pure. */
import type { Ballot } from './ballots';
import type { JudgeRow } from './results';

/** How a local model's answer is begun for it, so that it comes to the point. */
export const BEGUN = 'My verdict: [[';

export function questionFor(ballot: Ballot): string {
  const { question, plain, own, type, first } = ballot;
  if (type === 'single') {
    return (
      `How good is this text as an answer to, or a continuation of, the beginning?\n\n` +
      `[Beginning]\n${question}\n\n[Text]\n${own}\n\n` +
      `Judge sense, language and helpfulness. Answer with a mark from 1 (useless) to 10 (excellent) in ` +
      `double brackets, as [[5]].`
    );
  }
  const [a, b] = first === 'plain' ? [plain, own] : [own, plain];
  return (
    `Which text is the better answer to, or continuation of, the beginning?\n\n` +
    `[Beginning]\n${question}\n\n[Text A]\n${a}\n\n[Text B]\n${b}\n\n` +
    `Judge sense, language and helpfulness; neither order nor length may matter. Answer [[A]] if text A is ` +
    `better, [[B]] if text B is better, [[C]] if they are equally good.`
  );
}

/** @param said the answer, with what it was begun with */
export function verdictOf(
  type: JudgeRow['type'],
  said: string,
): Pick<JudgeRow, 'verdict' | 'mark'> {
  const answer = [...said.matchAll(/\[\[\s*(A|B|C|\d{1,2})\s*\]?/g)].at(-1)?.[1];
  if (type === 'single') {
    const mark = Number(answer);
    return { verdict: null, mark: mark >= 1 && mark <= 10 ? mark : null };
  }
  const verdicts = { A: 'A', B: 'B', C: 'tie' } as const;
  return { verdict: verdicts[answer as keyof typeof verdicts] ?? null, mark: null };
}
