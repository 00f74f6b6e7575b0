/** Asks a judge for every ballot that has no verdict yet. */
import { basename } from 'node:path';
import { appendRow } from '../../results-file';
import { readResults as readSteps } from '../../steps/results';
import { tasksOf } from '../../steps/tasks';
import { ballotsOf, type Ballot, type Texts } from './ballots';
import type { Judge } from './judges';
import { questionFor, verdictOf } from './prompt';
import { ballotKey, openResults, type JudgeRow } from './results';

const SEED = 1;
/** Of an answer that are kept. */
const SAID = 200;

export interface Judging {
  /** Of the checkout. */
  readonly root: string;
  readonly out: string;
  /** Results files of bench/steps. */
  readonly texts: readonly string[];
  readonly judgements: number;
  /** When no more is asked, on performance.now's clock. */
  readonly until: number;
  readonly onProgress: (done: number, all: number) => void;
}

/** Whether every ballot has its verdict. */
export async function runJudge(judge: Judge, judging: Judging): Promise<boolean> {
  const { out, until, onProgress } = judging;
  const all: Texts[] = [];
  for (const path of judging.texts) {
    all.push(...(await textsOf(path, judging.root)));
  }
  const { name, endpoint } = judge;
  const ballots = ballotsOf(all, judging.judgements, SEED);
  const there = await openResults(out, {
    ...{ kind: 'judge-run', version: 1, judge: name, endpoint, seed: SEED },
  });
  const todo = ballots.filter((ballot) => !there.has(ballotKey(ballot)));
  let done = ballots.length - todo.length;
  for (const ballot of todo) {
    if (performance.now() > until) return false;
    await appendRow(out, await judged(judge, ballot));
    onProgress(++done, ballots.length);
  }
  return true;
}

export async function judged(judge: Pick<Judge, 'ask'>, ballot: Ballot): Promise<JudgeRow> {
  const said = await judge.ask(questionFor(ballot));
  const { type, texts, task, mode, first } = ballot;
  return { type, texts, task, mode, first, ...verdictOf(type, said), said: said.slice(0, SAID) };
}

async function textsOf(path: string, root: string): Promise<Texts[]> {
  const rows = [...(await readSteps(path)).rows.values()];
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  const tasks = (await Promise.all(kinds.map((kind) => tasksOf(kind, root)))).flat();
  const questions = new Map(tasks.map((task) => [task.id, task.prompt]));
  return rows.flatMap(({ id, modes }) => {
    const question = questions.get(id);
    if (question === undefined) return [];
    const byMode = Object.fromEntries(
      Object.entries(modes).map(([mode, { text }]) => [mode, text]),
    );
    return [{ file: basename(path), task: id, question, byMode }];
  });
}
