/** The harness has to be able to fail: what is broken on purpose must be caught. */
import assert from 'node:assert/strict';
import { figuresOfRun, sameQualityPoint, type RunFigures } from '../../../../bench/eval/figures';
import { goalsOf } from '../../../../bench/eval/goals';
import { ballotsOf, type Ballot, type Texts } from '../../../../bench/eval/judge/ballots';
import { consistencyOf, judgeFigures } from '../../../../bench/eval/judge/figures';
import { ballotKey, type JudgeResults } from '../../../../bench/eval/judge/results';
import { judged } from '../../../../bench/eval/judge/run';
import { keyOf, type Outcome, type ResultRow } from '../../../../bench/steps/results';
import { decode } from '../../../../src/decoding/decode';
import { ScriptedProposer } from '../../../fixtures/scripted-proposer';
import { predict, ScriptedStepper, type Script } from '../../../fixtures/scripted-stepper';
import { HEADER, NOTHING, SHIPPED } from './evidence';

const MODES = ['ar', 'exact', 'fast:0.5', 'fast:0'];
/** A step's time, ms, whatever it does. */
const STEP_MS = 10;

/** The base counts on. */
const counting: Script = (tokens) => predict([(tokens.at(-1) ?? 0) + 1, 0.9], [0, 0.1]);
/** What heads say whose weights were mixed up: as sure as good ones, and wrong. */
const shuffled: Script = (tokens) =>
  predict([(((tokens.at(-1) ?? 0) * 7) % 13) + 40, 0.95], [0, 0.05]);

async function decoded(mode: 'ar' | 'fast', epsilon: number, from: number, heads: Script) {
  const stepper = new ScriptedStepper(counting);
  const proposer = new ScriptedProposer(stepper, heads);
  const steps = decode(
    stepper,
    [from],
    {
      ...{ maxTokens: 12, stopTokens: new Set<number>(), mode },
      fast: { epsilon, choice: 'likeliest', temperature: 1, penalty: 1, useOtsu: false, proposer },
    },
    new AbortController().signal,
  );
  const [tokens, lengths]: [number[], number[]] = [[], []];
  for (let next = await steps.next(); !next.done; next = await steps.next()) {
    tokens.push(...next.value.tokens);
    lengths.push(next.value.tokens.length);
  }
  return outcomeOf(tokens, lengths);
}

function outcomeOf(tokens: readonly number[], steps: number[]): Outcome {
  return {
    ...{ text: tokens.join(' '), tokens: tokens.length, stopReason: 'maxTokens', steps },
    ...{ drafts: [], prefillMs: 1, decodeMs: STEP_MS * (steps.length - 1) },
  };
}

const withTests = (outcome: Outcome, plain: Outcome): Outcome => ({
  ...outcome,
  passed: outcome.text === plain.text,
});

/** 160 tasks whose tests pass with the base's text alone. */
async function runWith(heads: Script): Promise<RunFigures> {
  const rows: ResultRow[] = [];
  for (let from = 1; from <= 160; from++) {
    const plain = await decoded('ar', 1, from, heads);
    const [some, all] = [
      await decoded('fast', 0.5, from, heads),
      await decoded('fast', 0, from, heads),
    ];
    const modes = { ar: plain, exact: plain, 'fast:0.5': some, 'fast:0': all };
    rows.push({
      ...{ id: String(from), kind: 'line' },
      modes: Object.fromEntries(
        Object.entries(modes).map(([mode, outcome]) => [mode, withTests(outcome, plain)]),
      ),
    });
  }
  return figuresOf(rows);
}

function figuresOf(rows: readonly ResultRow[]): RunFigures {
  const expected = new Map(rows.map((row) => [keyOf(row), row.modes['ar']?.text ?? '']));
  const [figures] = figuresOfRun(
    { file: 'bench/x.jsonl', header: { ...HEADER, modes: MODES }, rows },
    expected,
  );
  assert.ok(figures);
  return figures;
}

function goalOf(run: RunFigures, name: RegExp) {
  const goal = goalsOf({ ...NOTHING, runs: [run] }, SHIPPED).find((each) => name.test(each.goal));
  assert.ok(goal);
  return goal;
}

describe('a harness that can fail', () => {
  it('finds good heads as fast as they are', async () => {
    const run = await runWith(counting);
    const same = sameQualityPoint(run);
    assert.ok(same && same.figures.speedUp > 2.5, `${same?.figures.speedUp}`);
    assert.equal(goalOf(run, /same-quality/).verdict, 'met');
  });

  it('catches shuffled heads: they are fast, and no ε_b keeps the quality', async () => {
    const run = await runWith(shuffled);
    const half = run.points.find(({ mode }) => mode === 'fast:0.5');
    assert.ok(half && half.figures.speedUp > 2, 'they are fast');
    assert.equal(sameQualityPoint(run), undefined);
    const goal = goalOf(run, /same-quality/);
    assert.deepEqual([goal.verdict, goal.figure], ['missed', 'none shown']);
  });

  it('catches an exact mode that accepts every draft', () => {
    const rows = Array.from({ length: 40 }, (_, i): ResultRow => {
      const plain = outcomeOf([i, i + 1, i + 2, i + 3], [1, 1, 1, 1]);
      const every = outcomeOf([i, 7, 7, 7], [1, 3]);
      return { id: String(i), kind: 'line', modes: { ar: plain, exact: every } };
    });
    const goal = goalOf(figuresOf(rows), /exact mode/);
    assert.equal(goal.verdict, 'missed');
    assert.match(goal.figure, /^3\.00 ×/);
    assert.match(goal.remark, /another text than plain decoding/);
  });

  it('catches an exact mode that is slower than plain decoding', () => {
    const rows = Array.from({ length: 40 }, (_, i): ResultRow => {
      const plain = outcomeOf([i, i + 1, i + 2], [1, 1, 1]);
      return {
        id: String(i),
        kind: 'line',
        modes: { ar: plain, exact: { ...plain, decodeMs: 24 } },
      };
    });
    assert.equal(goalOf(figuresOf(rows), /exact mode/).verdict, 'missed');
  });
});

describe('a judge', () => {
  const sentence = 'one two three four five six seven eight nine ten';
  const texts = Array.from({ length: 30 }, (_, i): Texts => ({
    ...{ file: 'texts.jsonl', task: String(i), question: `Question ${i}` },
    byMode: { ar: `${sentence} ${i}`, 'fast:0.5': i % 3 === 0 ? sentence : `${sentence} bad bad` },
  }));

  async function verdictsOf(ask: (ballot: Ballot) => string): Promise<JudgeResults> {
    const rows: JudgeResults['rows'] extends ReadonlyMap<string, infer Row>
      ? [string, Row][]
      : never = [];
    for (const ballot of ballotsOf(texts, 120, 1)) {
      const row = await judged({ ask: () => Promise.resolve(ask(ballot)) }, ballot);
      rows.push([ballotKey(row), row]);
    }
    const header = { kind: 'judge-run', version: 1, judge: 'j', endpoint: null, seed: 1 } as const;
    return { header, rows: new Map(rows) };
  }

  /** Worse: words out of order, or bad ones. */
  const faults = (text: string) =>
    (text.startsWith(sentence) ? 0 : 1) + (text.includes('bad') ? 1 : 0);
  function honest({ type, first, plain, own }: Ballot): string {
    if (type === 'single') return `[[${10 - 4 * faults(own)}]]`;
    const [a, b] = first === 'plain' ? [plain, own] : [own, plain];
    const difference = faults(a) - faults(b);
    return `Let me see. [[${difference === 0 ? 'C' : difference < 0 ? 'A' : 'B'}]]`;
  }

  it('that is honest has a verdict', async () => {
    const results = await verdictsOf(honest);
    assert.equal(consistencyOf([...results.rows.values()]).failure, undefined);
    const [mode] = judgeFigures('j.jsonl', results, []).modes;
    assert.ok(mode && mode.losses > 0 && mode.wins === 0 && mode.ties > 0);
    assert.ok((mode.marks ?? 0) < 0);
  });

  const failure = async (ask: (ballot: Ballot) => string) =>
    consistencyOf([...(await verdictsOf(ask)).rows.values()]).failure ?? '';

  it('that always prefers A has none: identical texts do not tie, order matters', async () => {
    const why = await failure(({ type }) => (type === 'single' ? '[[5]]' : '[[A]]'));
    assert.match(why, /identical texts tie in 0 of 10/);
    assert.match(why, /change places in 0 of/);
    const { lines } = judgeFigures('j.jsonl', await verdictsOf(() => '[[A]]'), []);
    assert.match(String(lines[0]?.sameQuality), /no verdict/);
  });

  it('that always calls a tie has none: shuffled words do not lose', async () => {
    assert.match(
      await failure(({ type }) => (type === 'single' ? '[[5]]' : '[[C]]')),
      /shuffled words lose in 0/,
    );
  });

  it('that does not answer has none', async () => {
    assert.match(await failure(() => 'As a model I cannot say.'), /answers with a verdict in 0/);
  });

  it('is asked both orders of every pair, within the number of judgements', () => {
    const ballots = ballotsOf(texts, 100, 1);
    for (const limit of [1, 4, 16, 100]) assert.ok(ballotsOf(texts, limit, 1).length <= limit);
    const pairs = ballots.filter(({ type }) => type === 'pair');
    assert.ok(pairs.length > 0);
    const firsts = pairs.map(({ first }) => first);
    assert.equal(firsts.filter((first) => first === 'own').length, pairs.length / 2);
  });
});
