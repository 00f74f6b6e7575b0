/** The whole engine: client, child process, tokenizer, real model. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Engine, modelFiles, type EngineOptions } from '../../src/engine/client';
import { EngineError, type ErrorCode } from '../../src/engine/errors';
import type {
  CompletionRequest,
  CompletionResult,
  GenerationRequest,
  GenerationResult,
  ModelFiles,
} from '../../src/engine/protocol';
import { RESTART_LIMITS, RestartPolicy } from '../../src/engine/restart-policy';
import { fuzz } from '../fuzz/fuzz';
import { openGraphReader } from '../fuzz/graph';
import { soak } from '../soak/kills';
import { installed } from './installed';

const WORKER = join(process.cwd(), 'dist', 'worker.js');

const PROMPTS = [
  'The history of the lighthouse begins with',
  'def fibonacci(n):\n    """Return the n-th number."""\n',
  'Dear Ms Okafor,\n\nthank you for your letter of',
  'One, two, three, four,',
  '# 天气预报\n\n今天的天气 😀 ',
];

/** About 20 tokens each. */
const SENTENCES = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `On day ${i} the keeper climbed the stairs, lit the lamp and wrote down the wind.`,
  ).join(' ');

const generation = (
  prompt: string,
  changes: Partial<GenerationRequest> = {},
): GenerationRequest => ({
  prompt,
  chat: false,
  maxTokens: 12,
  mode: 'ar',
  epsilon: 0.5,
  temperature: 0,
  ...changes,
});

const completion = (
  prefix: string,
  changes: Partial<CompletionRequest> = {},
): CompletionRequest => ({
  prefix,
  suffix: '',
  language: 'markdown',
  multiline: 'auto',
  raw: false,
  maxTokens: 12,
  mode: 'ar',
  epsilon: 0.5,
  ...changes,
});

const fails = (code: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

/** Everything about a result that does not depend on time and on what the cache held. */
const content = ({
  text,
  tokens,
  steps,
  stopReason,
  promptTokens,
}: GenerationResult | CompletionResult) => ({
  text,
  tokens,
  stopReason,
  promptTokens,
  steps: steps.map(({ n, text, confidence }) => ({ n, text, confidence })),
});

describe('the engine with a real model', () => {
  let small: ModelFiles;
  let engine: Engine;
  /** Opens its model anew for each question, so that nothing is left of earlier ones. */
  let reference: Engine;
  const engines: Engine[] = [];

  function create(options: Partial<EngineOptions> = {}): Engine {
    const created = new Engine({ worker: WORKER, ...options });
    engines.push(created);
    return created;
  }

  before(async () => {
    small = modelFiles(await installed('smollm2-135m', 'int8'));
    engine = create();
    reference = create();
    await engine.load(small, { threads: 2 });
  });
  after(() => Promise.all(engines.map((each) => each.dispose())));

  const answers = new Map<string, GenerationResult>();

  async function fresh(request: GenerationRequest): Promise<GenerationResult> {
    const key = JSON.stringify(request);
    const known = answers.get(key);
    if (known) return known;
    await reference.load(small, { threads: 2 });
    const result = await reference.generate(request);
    assert.equal(result.reusedTokens, 0);
    answers.set(key, result);
    return result;
  }

  /** The engine that was used before must answer as one that was not. */
  async function assertSound(request: GenerationRequest): Promise<GenerationResult> {
    const result = await engine.generate(request);
    assert.deepEqual(content(result), content(await fresh(request)));
    return result;
  }

  describe('reuses the prompt that it knows', () => {
    it('when text was added, with the same result', async () => {
      const prompt = SENTENCES(12);
      const first = await engine.generate(generation(prompt));
      const second = await assertSound(generation(`${prompt} On day 12 he`));
      assert.ok(second.reusedTokens >= first.promptTokens - 1, `${second.reusedTokens} reused`);
      assert.ok(second.reusedTokens < second.promptTokens);
    });

    it('with its own continuation', async () => {
      const prompt = SENTENCES(3);
      const first = await engine.generate(generation(prompt));
      const next = await assertSound(generation(`${prompt}${first.text} and then`));
      assert.ok(next.reusedTokens > first.promptTokens);
    });

    it('of each of two documents, in turns', async () => {
      const documents = [SENTENCES(20), `# Stores\n\n${SENTENCES(20)}`];
      const asked = documents.map((text) => generation(text, { maxTokens: 4 }));
      const first = [];
      for (const request of asked) first.push(await engine.generate(request));
      for (let round = 0; round < 2; round++) {
        for (const [i, text] of documents.entries()) {
          const next = await assertSound(generation(`${text} Then,`, { maxTokens: 4 }));
          assert.ok(next.reusedTokens >= (first[i]?.promptTokens ?? NaN) - 1);
        }
      }
    });

    it('with token heads, whose caches follow', async () => {
      const model = modelFiles(await installed('qwen2.5-coder-0.5b', 'int8'));
      assert.ok(model.heads);
      const documents = [1, 2].map((n) => PROMPTS[1]?.replace('fibonacci', `number${n}`) ?? '');
      const requests = documents.map((text) =>
        generation(text.repeat(12), { mode: 'exact', maxTokens: 24 }),
      );
      const [several, alone] = [create(), create()];
      await several.load(model, { threads: 2 });
      for (const request of [...requests, ...requests, ...requests]) {
        const result = await several.generate(request);
        await alone.load(model, { threads: 2, cacheMegabytes: 0 });
        // How many tokens a step takes depends on what rows cost at that moment; the text does not.
        assert.equal(result.text, (await alone.generate(request)).text);
        assert.equal(result.tokens, 24);
      }
      const again = await several.generate(generation(documents[0]?.repeat(12) ?? ''));
      assert.equal(again.reusedTokens, again.promptTokens - 1);
      await Promise.all([several.dispose(), alone.dispose()]);
    });

    it('whatever came between', async () => {
      for (const prompt of [...PROMPTS, ...PROMPTS.toReversed()]) {
        await assertSound(generation(prompt));
      }
    });

    it('at a cursor, as the document grows a character at a time', async () => {
      const before = SENTENCES(8);
      const typed = ' On day 8 the kee';
      let last: CompletionResult | undefined;
      for (let n = 1; n <= typed.length; n++) {
        const result = await engine.complete(
          completion(before + typed.slice(0, n), { maxTokens: 4 }),
        );
        if (last) assert.ok(result.promptTokens - result.reusedTokens <= 3, `${n} typed`);
        last = result;
      }
      assert.match(last?.text ?? '', /^per\b/, 'the word is finished');
      await reference.load(small, { threads: 2 });
      const anew = await reference.complete(completion(before + typed, { maxTokens: 4 }));
      assert.equal(anew.reusedTokens, 0);
      assert.deepEqual(last && content(last), content(anew));
    });
  });

  describe('cancelled', () => {
    it('between two steps answers the next request as ever', async () => {
      for (const after of [1, 4]) {
        const abort = new AbortController();
        let steps = 0;
        const running = engine.generate(
          generation(PROMPTS[0] ?? '', { maxTokens: 1000 }),
          () => {
            if (++steps === after) abort.abort();
          },
          abort.signal,
        );
        await assert.rejects(running, fails('cancelled', /was cancelled/));
        await assertSound(generation(PROMPTS[0] ?? ''));
      }
    });

    it('during a long prefill answers the next request as ever', async () => {
      const prompt = SENTENCES(60);
      for (const ms of [0, 30, 300]) {
        const abort = new AbortController();
        const running = engine.generate(generation(prompt), undefined, abort.signal);
        setTimeout(() => abort.abort(), ms);
        await assert.rejects(running, fails('cancelled', /was cancelled/));
      }
      await assertSound(generation(SENTENCES(12)));
    });

    it('by a newer completion, which alone is answered', async () => {
      const requests = PROMPTS.map((prompt) => engine.complete(completion(prompt)));
      const results = await Promise.allSettled(requests);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'],
      );
    });
  });

  describe('at a deadline', () => {
    it('returns what there is', async () => {
      const request = generation(PROMPTS[0] ?? '', { maxTokens: 3000 });
      const result = await engine.generate({ ...request, deadlineMs: 800 });
      assert.equal(result.stopReason, 'deadline');
      assert.equal(result.tokens, result.steps.length);
      const whole = await fresh({ ...request, maxTokens: Math.max(1, result.tokens) });
      assert.equal(result.text, whole.text.slice(0, result.text.length));
      await assertSound(generation(PROMPTS[1] ?? ''));
    });

    it('within the prefill returns nothing, and is asked again with success', async () => {
      // A text that no test before it left in a cache.
      const request = generation(`Nobody has read this yet. ${SENTENCES(40)}`);
      const result = await engine.generate({ ...request, deadlineMs: 1 });
      assert.deepEqual(
        [result.stopReason, result.tokens, result.text, result.steps],
        ['deadline', 0, '', []],
      );
      await assertSound(request);
    });
  });

  describe('killed', () => {
    let folder: string;
    let mortal: Engine;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'dynamo-engine-'));
      const worker = join(folder, 'worker.cjs');
      const record = `require('fs').writeFileSync(${JSON.stringify(join(folder, 'pid'))}, String(process.pid));`;
      writeFileSync(worker, `${record}\nrequire(${JSON.stringify(WORKER)});\n`);
      mortal = create({
        worker,
        policy: new RestartPolicy({ ...RESTART_LIMITS, firstDelayMs: 1 }),
      });
      await mortal.load(small, { threads: 2 });
    });
    after(() => rmSync(folder, { recursive: true }));

    const kill = () => process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    const died = fails('crashed', /^The engine's process ended unexpectedly.*\.$/);

    it('while it decodes, fails once and then works again', async () => {
      const request = generation(PROMPTS[0] ?? '', { maxTokens: 1000 });
      await assert.rejects(mortal.generate(request, kill), died);
      const next = await mortal.generate(generation(PROMPTS[2] ?? ''));
      assert.deepEqual(content(next), content(await fresh(generation(PROMPTS[2] ?? ''))));
    });

    it('while it generates and others wait, fails each of them once', async () => {
      const requests = [
        // Its first step tells that all three have arrived.
        mortal.generate(generation(PROMPTS[0] ?? '', { maxTokens: 1000 }), kill),
        mortal.complete(completion(SENTENCES(20))),
        mortal.generate(generation(PROMPTS[1] ?? '')),
      ];
      for (const request of requests) request.catch(() => undefined);
      for (const request of requests) await assert.rejects(request, died);
      assert.equal((await mortal.generate(generation(PROMPTS[3] ?? ''))).tokens, 12);
    });
  });

  it('killed at random moments, ends every request and leaves no process behind', async () => {
    const report = await soak({ worker: WORKER, model: small, kills: 20, seed: 3, withinMs: 600 });
    assert.deepEqual(report.failures, []);
    assert.equal(report.kills, 20);
    const ended = Object.values(report.errors).reduce((sum, count) => sum + count, report.results);
    assert.equal(ended, report.requests);
    assert.ok((report.errors.crashed ?? 0) > 0, 'some kill met a request');
  });

  it('says what is wrong with damaged graphs, whether or not its process survives them', async () => {
    const { reader, close } = openGraphReader(WORKER, await installed('smollm2-135m', 'int8'));
    try {
      const { accepted, refused, failures } = await fuzz(reader, 30, 5);
      assert.deepEqual(failures, []);
      assert.equal(accepted + refused, 30);
      assert.ok(refused > 0);
      // And takes a sound one after all of them.
      for (const sound of reader.sound) await reader.read(Buffer.from(sound));
    } finally {
      await close();
    }
  });

  it('works on when its model is removed, and says so when it has to load it again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dynamo-removed-'));
    const names = ['graph', 'weights', 'tokenizer'] as const;
    const files = { ...small };
    for (const name of names) {
      files[name] = join(folder, basename(small[name]));
      copyFileSync(small[name], files[name]);
    }
    const worried = create();
    await worried.load(files, { threads: 2 });
    rmSync(folder, { recursive: true });
    const request = generation(PROMPTS[0] ?? '');
    assert.deepEqual(content(await worried.generate(request)), content(await fresh(request)));
    const gone =
      /^The model smollm2-135m is not complete any more: .* is missing\. Install it again/;
    await assert.rejects(worried.load({ ...files }, { threads: 2 }), fails('model', gone));
    await worried.load(small, { threads: 2 });
    assert.deepEqual(content(await worried.generate(request)), content(await fresh(request)));
    await worried.dispose();
  });

  it('runs beside another one', async () => {
    const other = create();
    await other.load(small, { threads: 1 });
    const [one, two] = PROMPTS.map((prompt) => generation(prompt, { maxTokens: 20 }));
    assert.ok(one && two);
    const [first, second] = await Promise.all([engine.generate(one), other.generate(two)]);
    assert.deepEqual(content(first), content(await fresh(one)));
    assert.deepEqual(content(second), content(await fresh(two)));
    await other.dispose();
  });

  it('gives the same greedy text with one thread and with two', async () => {
    const texts: unknown[][] = [];
    for (const threads of [1, 2]) {
      await engine.load(small, { threads });
      const results = [];
      for (const prompt of PROMPTS)
        results.push(content(await engine.generate(generation(prompt))));
      texts.push(results);
    }
    assert.deepEqual(texts[0], texts[1]);
  });

  it('samples by its seed', async () => {
    const sample = (seed: number) =>
      engine.generate(generation(PROMPTS[0] ?? '', { temperature: 1.5, seed, maxTokens: 20 }));
    const [a, b, again] = [await sample(1), await sample(2), await sample(1)];
    assert.notEqual(a.text, b.text);
    assert.deepEqual(content(a), content(again));
  });

  describe('with a small context', () => {
    before(() => engine.load(small, { threads: 2, contextLength: 64 }));
    after(() => engine.load(small, { threads: 2 }));

    it('stops when the context is full', async () => {
      const { stopReason, promptTokens, tokens } = await engine.generate(
        generation(PROMPTS[0] ?? '', { maxTokens: 1000 }),
      );
      assert.equal(stopReason, 'context');
      assert.equal(promptTokens + tokens, 64 + 1, 'the last token needs no row');
    });

    it('continues the end of a long text, and completes within a long file', async () => {
      const long = await engine.generate(generation(SENTENCES(20), { maxTokens: 10 }));
      assert.equal(long.promptTokens, 54);
      assert.equal(long.tokens, 10);
      const at = await engine.complete(completion(SENTENCES(20), { maxTokens: 10 }));
      assert.ok(at.promptTokens <= 54);
    });

    it('refuses a conversation that does not fit', async () => {
      const request = generation(SENTENCES(20), { chat: true });
      await assert.rejects(engine.generate(request), fails('badRequest', /shorten it/));
      const short = await engine.generate(generation('Say yes.', { chat: true }));
      assert.ok(short.tokens > 0);
    });
  });

  it('switches between models, and lays the prompt out in either order', async () => {
    const coder = modelFiles(await installed('qwen2.5-coder-0.5b', 'int8'));
    const asked = generation(PROMPTS[3] ?? '');
    const before = await engine.generate(asked);

    assert.equal((await engine.load(coder, { threads: 2 })).id, coder.id);
    const hole = completion('def add(a, b):\n    return a', {
      suffix: '\n\nprint(add(1, 2))\n',
      language: 'python',
    });
    const first = await engine.complete(hole);
    const suffixFirst = await engine.complete({ ...hole, order: 'suffix-first' });
    assert.equal(first.model, coder.id);
    assert.equal(first.text, ' + b');
    assert.deepEqual(content(suffixFirst), content(first), "it is the model's own order");
    assert.match(first.promptTail, /<\|fim_middle\|>def add\(a, b\):\n {4}return a$/);
    const prefixFirst = await engine.complete({ ...hole, order: 'prefix-first' });
    assert.equal(prefixFirst.text, ' + b');
    assert.match(
      prefixFirst.promptTail,
      /<\|fim_suffix\|>\n\nprint\(add\(1, 2\)\)\n<\|fim_middle\|>$/,
    );

    await engine.load(small, { threads: 2 });
    const after = await engine.generate(asked);
    assert.equal(after.reusedTokens, 0);
    assert.equal(after.model, small.id);
    assert.deepEqual(content(after), content(before));
  });

  it('says what is wrong with a model that is not there, and goes on with another', async () => {
    const missing = { ...small, graph: join(small.graph, '..', 'missing.onnx') };
    const gone = fails(
      'model',
      /^The model smollm2-135m is not complete any more: .*missing\.onnx/,
    );
    await assert.rejects(engine.load(missing), gone);
    await assert.rejects(engine.generate(generation('x')), gone);
    await engine.load(small, { threads: 2 });
    await assertSound(generation(PROMPTS[3] ?? ''));
  });
});
