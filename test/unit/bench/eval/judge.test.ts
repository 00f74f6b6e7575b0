import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ballotsOf, damaged } from '../../../../bench/eval/judge/ballots';
import { endpointJudge } from '../../../../bench/eval/judge/judges';
import { questionFor, verdictOf } from '../../../../bench/eval/judge/prompt';
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
      const made = { ar: outcome('one two three four five'), 'fast:0.5': outcome('one two') };
      await appendRow(texts, { id, kind: 'sentence', modes: made });
    }
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function run(answer: (question: string) => string) {
    let asked = 0;
    const given: string[] = [];
    const ask = (question: string) => {
      asked++;
      return Promise.resolve(answer(question));
    };
    const whole = await runJudge(
      { name: 'j', endpoint: null, ask, close: () => Promise.resolve() },
      {
        ...{ root: process.cwd(), out: join(folder, 'judge.jsonl'), texts: [texts] },
        ...{ judgements: 100, until: Infinity, onProgress: () => undefined },
        onGivenUp: (why) => void given.push(why),
      },
    );
    return { asked, given, whole };
  }

  it('stops where the judge has shown that it has no verdict, and stays so', async () => {
    const first = await run(() => '[[A]]');
    assert.deepEqual([first.asked, first.whole], [60, true]);
    assert.match(first.given.join(), /identical texts tie in 0 of 10/);
    assert.equal((await run(() => '[[A]]')).asked, 0);
  });

  it('asks one that is consistent everything, once', async () => {
    const sensible = (question: string) => {
      if (question.includes('a mark')) return '[[7]]';
      const [a, b] = ['A', 'B'].map((name) =>
        new RegExp(`\\[Text ${name}\\]\\n(.*)\\n`).exec(question)?.[1]?.startsWith('one two three'),
      );
      return a === b ? '[[C]]' : a ? '[[A]]' : '[[B]]';
    };
    const { asked, given, whole } = await run(sensible);
    assert.deepEqual([given, whole], [[], true]);
    assert.ok(asked > 90 && asked <= 100, `${asked}`);
    assert.equal((await run(sensible)).asked, 0);
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
