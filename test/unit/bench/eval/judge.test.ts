import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelVersion } from '../../../../bench/environment';
import { ballotsOf, damaged } from '../../../../bench/eval/judge/ballots';
import type { RunFigures } from '../../../../bench/eval/figures';
import { judgeFigures } from '../../../../bench/eval/judge/figures';
import { endpointJudge } from '../../../../bench/eval/judge/judges';
import { questionFor, verdictOf } from '../../../../bench/eval/judge/prompt';
import { ballotKey, parseResults, type JudgeRow } from '../../../../bench/eval/judge/results';
import { judged, runJudge } from '../../../../bench/eval/judge/run';
import { appendRow } from '../../../../bench/results-file';
import { tasksOf } from '../../../../bench/steps/tasks';

const TEXTS = {
  ...{ file: 'texts.jsonl', task: 't', question: 'What is it?' },
  byMode: { ar: 'a plain text of words', 'fast:0.5': 'a fast text of words' },
};

describe('the ballots', () => {
  it('give every file its share, whatever stands first', () => {
    const texts = ['a', 'b'].flatMap((file) =>
      Array.from({ length: 50 }, (_, i) => ({ ...TEXTS, file, task: String(i) })),
    );
    const pairs = ballotsOf(texts, 100, 1).filter(({ type }) => type === 'pair');
    const of = (file: string) => pairs.filter((ballot) => ballot.texts === file).length;
    assert.ok(of('a') > 0);
    assert.ok(Math.abs(of('a') - of('b')) <= 2, `${of('a')} and ${of('b')}`);
  });
});

describe('a run of judgements', () => {
  let folder: string;
  let texts: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dynamo-judge-'));
    texts = join(folder, 'm.open-ended.sentence.jsonl');
    await writeTexts('one two');
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function writeTexts(fast: string) {
    await rm(texts, { force: true });
    const modes = ['ar', 'fast:0.5'];
    await appendRow(texts, {
      ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
      ...{ modes, maxTokens: 64, threads: 2 },
    });
    for (const { id } of await tasksOf('sentence', process.cwd())) {
      const outcome = (text: string) => ({
        ...{ text, tokens: 9, stopReason: 'maxTokens', steps: [9], drafts: [] },
        ...{ prefillMs: 1, decodeMs: 1 },
      });
      const made = { ar: outcome('one two three four five'), 'fast:0.5': outcome(fast) };
      await appendRow(texts, { id, kind: 'sentence', modes: made });
    }
  }

  async function run(answer: (question: string) => string, version?: ModelVersion) {
    let asked = 0;
    const given: string[] = [];
    const ask = (question: string) => {
      asked++;
      return Promise.resolve(answer(question));
    };
    const whole = await runJudge(
      {
        ...{ name: 'j', endpoint: null, ask, close: () => Promise.resolve() },
        ...(version && { version }),
      },
      {
        ...{ root: process.cwd(), out: join(folder, 'judge.jsonl'), texts: [texts] },
        ...{ judgements: 100, until: Infinity, onProgress: () => undefined },
        onGivenUp: (why) => void given.push(why),
      },
    );
    return { asked, given, whole };
  }

  const sensible = (question: string) => {
    if (question.includes('a mark')) return '[[7]]';
    const [a, b] = ['A', 'B'].map((name) =>
      new RegExp(`\\[Text ${name}\\]\\n(.*)\\n`).exec(question)?.[1]?.startsWith('one two three'),
    );
    return a === b ? '[[C]]' : a ? '[[A]]' : '[[B]]';
  };

  it('keeps no verdict on texts that were made again', async () => {
    await run(sensible);
    await writeTexts('three four');
    await assert.rejects(run(sensible), /verdicts on other texts.*sentence\.jsonl/);
  });

  it('keeps none that does not say what it was about', async () => {
    const out = join(folder, 'judge.jsonl');
    await run(sensible);
    const lines = (await readFile(out, 'utf8')).replaceAll(/"sha256":"[0-9a-f]+",/g, '');
    await writeFile(out, lines);
    assert.ok(parseResults(lines, out).rows.size > 0, 'it can be read');
    await assert.rejects(run(sensible), /verdicts on other texts/);
  });

  it('is not gone on with by another version of the judge', async () => {
    const version = { id: 'j', precision: 'int8', trunkSha256: 't' } as const;
    await run(sensible, version);
    assert.equal((await run(sensible, version)).asked, 0);
    await assert.rejects(run(sensible, { ...version, trunkSha256: 'x' }), /by another j/);
  });

  it('stops where the judge has shown that it has no verdict, and stays so', async () => {
    const first = await run(() => '[[A]]');
    assert.deepEqual([first.asked, first.whole], [60, true]);
    assert.match(first.given.join(), /identical texts tie in 0 of 10/);
    assert.equal((await run(() => '[[A]]')).asked, 0);
  });

  it('asks one that is consistent everything, once', async () => {
    const { asked, given, whole } = await run(sensible);
    assert.deepEqual([given, whole], [[], true]);
    assert.ok(asked > 90 && asked <= 100, `${asked}`);
    assert.equal((await run(sensible)).asked, 0);
  });
});

describe('the same-quality speed-up by a judge', () => {
  type Tally = readonly [speedUp: number, wins: number, losses: number, ties?: number];

  /** Of modes by speed-up, with a judge that passes every control. */
  function lineOf(tallies: readonly Tally[]) {
    const rows: JudgeRow[] = [];
    const base = { texts: 'texts.jsonl', said: '', verdict: null, mark: null } as const;
    for (let i = 0; i < 10; i++) {
      const control = { ...base, task: String(i), mode: 'ar', first: 'plain' } as const;
      rows.push({ ...control, type: 'identical', verdict: 'tie' });
      rows.push({ ...control, type: 'damaged', verdict: 'A' });
    }
    for (const [speedUp, wins, losses, ties = 0] of tallies) {
      const winners = [
        ...Array<'own'>(wins).fill('own'),
        ...Array<'plain'>(losses).fill('plain'),
        ...Array<'tie'>(ties).fill('tie'),
      ];
      for (const [task, winner] of winners.entries()) {
        for (const first of ['plain', 'own'] as const) {
          const verdict = winner === 'tie' ? 'tie' : winner === first ? 'A' : 'B';
          const mode = `fast:${speedUp}`;
          rows.push({ ...base, type: 'pair', task: String(task), mode, first, verdict });
        }
      }
    }
    const points = tallies.map(([speedUp]) => ({
      ...{ mode: `fast:${speedUp}`, epsilon: speedUp, scores: {}, shares: [], stepCost: 1 },
      figures: { speedUp } as RunFigures['points'][number]['figures'],
    }));
    const run = { file: 'bench/texts.jsonl', points } as unknown as RunFigures;
    const header = { kind: 'judge-run', version: 1, judge: 'j', endpoint: null, seed: 1 } as const;
    const results = { header, rows: new Map(rows.map((row) => [ballotKey(row), row])) };
    const { consistency, lines, modes } = judgeFigures('j.jsonl', results, [run]);
    assert.equal(consistency.failure, undefined);
    const [line] = lines;
    assert.ok(line);
    return { ...line, modes };
  }

  const near = (actual: unknown, expected: number) =>
    assert.ok(typeof actual === 'number' && Math.abs(actual - expected) < 1e-9, String(actual));

  it('is where wins equal losses', () => {
    near(
      lineOf([
        [1.2, 6, 4],
        [1.6, 5, 5],
        [2, 4, 6],
      ]).sameQuality,
      1.6,
    );
    near(
      lineOf([
        [1.2, 8, 0, 2],
        [1.6, 5, 5],
        [2, 1, 9],
      ]).sameQuality,
      1.6,
    );
  });

  it('is none where even the slowest mode loses', () => {
    const { sameQuality } = lineOf([
      [1.2, 6, 10],
      [1.6, 5, 10],
      [2, 3, 10],
    ]);
    assert.match(String(sameQuality), /^none: .*slowest mode, 1\.20 ×/);
  });

  it('counts modes without any loss', () => {
    // Shares 1, 0.5 and 0.2: their mean, 0.567, is at 1.6, and the line falls by 1 a unit.
    const { sameQuality, modes } = lineOf([
      [1.2, 10, 0],
      [1.6, 5, 5],
      [2, 2, 8],
    ]);
    near(sameQuality, 1.6 + 0.2 / 3);
    assert.deepEqual(
      modes.map(({ winRate }) => winRate),
      [undefined, 1, 0.25],
    );
  });

  it('counts half of a tie as won', () => {
    near(
      lineOf([
        [1.2, 1, 0, 9],
        [1.6, 0, 0, 10],
        [2, 0, 1, 9],
      ]).sameQuality,
      1.6,
    );
  });

  it('is that of the fastest mode at most', () => {
    near(
      lineOf([
        [1.2, 9, 1],
        [1.6, 8, 2],
        [2, 7, 3],
      ]).sameQuality,
      2,
    );
  });

  it('has a line of wins over losses that crosses 1 there', () => {
    const { slope, intercept, sameQuality } = lineOf([
      [1.2, 7, 3],
      [1.6, 5, 5],
      [2, 2, 8],
    ]);
    near(intercept + slope * Number(sameQuality), 1);
  });

  it('needs three modes, and a win rate that falls', () => {
    assert.match(
      String(
        lineOf([
          [1.2, 6, 4],
          [2, 4, 6],
        ]).sameQuality,
      ),
      /fewer than three/,
    );
    const rising = lineOf([
      [1.2, 4, 6],
      [1.6, 5, 5],
      [2, 6, 4],
    ]);
    assert.match(String(rising.sameQuality), /does not fall/);
  });
});

describe('what a judge says', () => {
  it('is the last verdict in brackets', () => {
    assert.equal(verdictOf('pair', 'Not [[A]] but [[B]].').verdict, 'B');
    assert.equal(verdictOf('pair', 'My verdict: [[C').verdict, 'tie');
    assert.equal(verdictOf('pair', 'A is better').verdict, null);
    assert.equal(verdictOf('pair', '[[5]]').verdict, null);
  });

  it('is a mark from 1 to 10 for a single text', () => {
    assert.equal(verdictOf('single', '[[7]]').mark, 7);
    assert.equal(verdictOf('single', '[[11]]').mark, null);
    assert.equal(verdictOf('single', '[[A]]').mark, null);
  });
});

describe('the question to a judge', () => {
  it('has the texts in the order of the ballot', () => {
    for (const ballot of ballotsOf([TEXTS], 40, 1).filter(({ type }) => type === 'pair')) {
      const question = questionFor(ballot);
      const [plain, fast] = [question.indexOf('a plain'), question.indexOf('a fast')];
      assert.ok(plain > 0 && fast > 0);
      assert.equal(plain < fast, ballot.first === 'plain');
    }
  });

  it('shows a damaged text with the same words', () => {
    const sorted = (text: string) => text.split(' ').sort();
    assert.deepEqual(sorted(damaged('one two three four', 1)), sorted('one two three four'));
  });
});

describe('an endpoint that the user named', () => {
  async function asked(status: number, answer: object) {
    const seen: { path?: string | undefined; key?: string | undefined; body: string } = {
      body: '',
    };
    const server = createServer((request, response) => {
      seen.path = request.url;
      seen.key = request.headers.authorization;
      request.on('data', (chunk: Buffer) => (seen.body += chunk.toString()));
      request.on('end', () => response.writeHead(status).end(JSON.stringify(answer)));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const judge = endpointJudge(`http://127.0.0.1:${port}/v1/`, 'large', 'secret');
    const [ballot] = ballotsOf([TEXTS], 40, 1);
    assert.ok(ballot);
    try {
      return { seen, row: await judged(judge, ballot) };
    } finally {
      await new Promise((done) => server.close(done));
    }
  }

  it('is asked as a chat and understood', async () => {
    const answer = { choices: [{ message: { content: 'Equal: [[C]]' } }] };
    const { seen, row } = await asked(200, answer);
    assert.equal(seen.path, '/v1/chat/completions');
    assert.equal(seen.key, 'Bearer secret');
    const { model, messages } = JSON.parse(seen.body) as { model: string; messages: unknown[] };
    assert.deepEqual([model, messages.length, row.verdict], ['large', 1, 'tie']);
  });

  it('that fails or says something else ends the run with its reason', async () => {
    await assert.rejects(asked(500, {}), /status 500/);
    await assert.rejects(asked(200, { text: 'A' }), /not one of a chat endpoint/);
  });
});
