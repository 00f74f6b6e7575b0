/** Asks a judge for every ballot that has no verdict yet. */
import { basename } from 'node:path';
import { appendRow } from '../../results-file';
import { readResults as readSteps } from '../../steps/results';
import { tasksOf } from '../../steps/tasks';
import { ballotsOf, textsHash, type Ballot, type Texts } from './ballots';
import { consistencyOf } from './figures';
import type { Judge } from './judges';
import { questionFor, verdictOf } from './prompt';
import { ballotKey, openResults, type JudgeRow } from './results';

const SEED = 1;
/** Of an answer that are kept. */
const SAID = 200;
/** Judgements, the controls among them, after which one that is far from consistent is asked no more. */
const ENOUGH = 60;
const FAR = 0.2;

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
  /** Told why the rest is not asked. */
  readonly onGivenUp: (why: string) => void;
}

/** Whether every ballot has its verdict, or the judge has shown that it has none to give. */
export async function runJudge(judge: Judge, judging: Judging): Promise<boolean> {
  const { out, until, onProgress, onGivenUp } = judging;
  const all: Texts[] = [];
  for (const path of judging.texts) {
    all.push(...(await textsOf(path, judging.root)));
  }
  const { name, endpoint, version } = judge;
  const ballots = ballotsOf(all, judging.judgements, SEED);
  const there = await openResults(out, {
    ...{ kind: 'judge-run', version: 1, judge: name, endpoint, seed: SEED },
    ...(version && { model: version }),
  });
  checkTexts(out, there.values(), all);
  const todo = ballots.filter((ballot) => !there.has(ballotKey(ballot)));
  const rows = [...there.values()];
  for (const ballot of todo) {
    const failure = rows.length < ENOUGH ? undefined : consistencyOf(rows, FAR).failure;
    if (failure !== undefined) {
      onGivenUp(failure);
      return true;
    }
    if (performance.now() > until) return false;
    const row = await judged(judge, ballot);
    rows.push(row);
    await appendRow(out, row);
    onProgress(rows.length, ballots.length);
  }
  return true;
}

/**
 * Verdicts on texts that were made again would be counted beside those on the new ones.
 *
 * @throws for the first of them; older files do not tell what theirs are about
 */
function checkTexts(out: string, rows: Iterable<JudgeRow>, all: readonly Texts[]): void {
  const keyOf = (file: string, task: string) => JSON.stringify([file, task]);
  const here = new Map(all.map((texts) => [keyOf(texts.file, texts.task), texts]));
  const files = new Set(all.map(({ file }) => file));
  for (const { texts: file, task, mode, sha256 } of rows) {
    if (!files.has(file)) continue;
    const texts = here.get(keyOf(file, task));
    if (texts && textsHash(texts, mode) === sha256) continue;
    throw new Error(
      `${out} has verdicts on other texts than ${file} holds now; move it away and run again.`,
    );
  }
}

export async function judged(judge: Pick<Judge, 'ask'>, ballot: Ballot): Promise<JudgeRow> {
  const started = performance.now();
  const said = await judge.ask(questionFor(ballot));
  const { type, texts, sha256, task, mode, first } = ballot;
  const verdict = verdictOf(type, said);
  const ms = Math.round(performance.now() - started);
  return { type, texts, sha256, task, mode, first, ...verdict, said: said.slice(0, SAID), ms };
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
