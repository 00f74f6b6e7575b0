import assert from 'node:assert/strict';
import type { PromptFormat } from '../../../src/completion/types';
import type { Script } from '../../fixtures/scripted-stepper';
import { createCompleter } from '../../../src/engine/completer';
import { EngineError } from '../../../src/engine/errors';
import type {
  CompletionRequest,
  GenerationRequest,
  StepSummary,
} from '../../../src/engine/protocol';
import { DeadlineReached } from '../../../src/engine/server';
import { DynamicDrafter } from '../../../src/decoding/drafter';
import type { ModelDefaults } from '../../../src/models/threshold-curve';
import { characterTokenizer } from '../../fixtures/character-tokenizer';
import { ScriptedProposer } from '../../fixtures/scripted-proposer';
import {
  predict,
  ScriptedStepper,
  type ScriptedStepperOptions,
} from '../../fixtures/scripted-stepper';

const FORMAT: PromptFormat = {
  fim: { prefix: '<|pre|>', suffix: '<|suf|>', middle: '<|mid|>', order: 'suffix-first' },
  stop: ['<|endoftext|>', '<|not in this model|>'],
};
const tokenizer = characterTokenizer(
  ['ret', 'return'],
  ['<|pre|>', '<|suf|>', '<|mid|>', '<|endoftext|>', '<|im_start|>', '<|im_end|>'],
);
const never = new AbortController().signal;
const END = tokenizer.control('<|endoftext|>') ?? -1;

/** Writes `text` token by token behind whatever prompt, then stops; `others` are runners-up. */
function writes(text: string | readonly number[], others: readonly number[] = []): Script {
  const ids = typeof text === 'string' ? [...Buffer.from(text)] : text;
  let promptLength: number | undefined;
  return (tokens) => {
    promptLength ??= tokens.length;
    const next = ids[tokens.length - promptLength] ?? END;
    return predict([next, 0.5], ...others.map((id) => [id, 0.1] as const));
  };
}

function setUp(script: Script, options?: ScriptedStepperOptions) {
  const stepper = new ScriptedStepper(script, options);
  return {
    stepper,
    completer: createCompleter({ model: 'scripted', format: FORMAT, stepper, tokenizer }),
  };
}

const request = (changes: Partial<CompletionRequest> = {}): CompletionRequest => ({
  prefix: 'x_1',
  suffix: '',
  language: 'python',
  multiline: 'auto',
  raw: false,
  maxTokens: 50,
  mode: 'exact',
  epsilon: 0.5,
  ...changes,
});

const generation = (changes: Partial<GenerationRequest> = {}): GenerationRequest => ({
  prompt: 'Once',
  chat: false,
  maxTokens: 50,
  mode: 'ar',
  epsilon: 1,
  ...changes,
});

const silent = () => undefined;

describe('the completer', () => {
  it('gives text, counts and times of a completion', async () => {
    const { completer } = setUp(writes('f(1)'));
    const result = await completer.complete(request(), never);
    assert.equal(result.text, 'f(1)');
    assert.equal(result.stopReason, 'stopToken');
    assert.equal(result.tokens, 4);
    assert.deepEqual(
      result.steps.map(({ n, source, rows }) => ({ n, source, rows })),
      [0, 1, 1, 1].map((rows) => ({ n: 1, source: 'base', rows })),
    );
    assert.equal(result.model, 'scripted');
    assert.equal(result.mode, 'ar', 'the mode that ran, not the one asked for');
    assert.equal(result.promptTail, '<|pre|><|suf|><|mid|>x_1');
    assert.equal(result.promptTokens, 6);
    assert.equal(result.reusedTokens, 0);
    assert.ok(result.prefillMs >= 0 && result.decodeMs >= 0);
  });

  it('tells each step while it happens', async () => {
    const { completer } = setUp(writes('f(1)'));
    const told: string[] = [];
    const result = await completer.complete(request(), never, ({ text }) => told.push(text));
    assert.deepEqual(told, ['f', '(', '1', ')']);
    assert.equal(result.text, 'f(1)');
  });

  describe('with heads', () => {
    const guessing = (defaults?: ModelDefaults) => {
      const script = writes('abcdefghi');
      const stepper = new ScriptedStepper(script);
      const proposer = new ScriptedProposer(stepper, script);
      const drafter = new DynamicDrafter({ proposer });
      const options = { model: 'scripted', format: FORMAT, stepper, tokenizer };
      return createCompleter({ ...options, proposer, drafter, ...(defaults && { defaults }) });
    };
    const raw = (changes: Partial<CompletionRequest>) => request({ raw: true, ...changes });

    it('runs each mode as itself, to the same text where the heads are right', async () => {
      for (const mode of ['ar', 'exact', 'fast'] as const) {
        const result = await guessing().complete(raw({ mode, epsilon: 0 }), never);
        assert.deepEqual([result.mode, result.text], [mode, 'abcdefghi']);
        if (mode === 'ar') assert.equal(result.steps.length, 9);
        else assert.ok(result.steps.length < 7, `${mode}: ${result.steps.length} steps`);
      }
    });

    it('takes fast mode’s parts from the request', async () => {
      const lengths = async (changes: Partial<CompletionRequest>) =>
        (await guessing().complete(raw({ mode: 'fast', ...changes }), never)).steps.map(
          ({ n }) => n,
        );
      // Every prediction here is a single candidate: J is 1, less what the penalty takes.
      assert.deepEqual(await lengths({ epsilon: 0.95 }), [3, 3, 3]);
      assert.deepEqual(await lengths({ epsilon: 0.95, fast: { maxOrder: 2 } }), [2, 2, 2, 2, 1]);
      assert.deepEqual(await lengths({ epsilon: 1 }), Array(9).fill(1));
    });

    it('takes the model’s own ε_b where the request names none, and exact mode where that is 1', async () => {
      const unset = raw({ mode: 'fast' });
      delete unset.epsilon;
      const ran = async (defaults?: ModelDefaults, changes: Partial<CompletionRequest> = {}) => {
        const result = await guessing(defaults).complete({ ...unset, ...changes }, never);
        assert.equal(result.text, 'abcdefghi');
        return [result.mode, Math.max(...result.steps.map(({ n }) => n))];
      };
      assert.deepEqual(await ran({ epsilon: 0.95 }), ['fast', 3]);
      assert.deepEqual(await ran(), ['exact', 3], 'not calibrated');
      assert.deepEqual(await ran({ epsilon: 1 }), ['exact', 3]);
      assert.deepEqual(await ran({ epsilon: 0.5 }, { epsilon: 1 }), ['fast', 1]);
      assert.deepEqual(await ran({ epsilon: 1 }, { epsilon: 0.5 }), ['fast', 3]);
    });

    it('feeds exact mode no more rows a step than the model or the request says', async () => {
      const most = async (defaults?: ModelDefaults, changes: Partial<CompletionRequest> = {}) => {
        const { steps } = await guessing(defaults).complete(
          raw({ mode: 'exact', ...changes }),
          never,
        );
        return Math.max(...steps.map(({ rows }) => rows));
      };
      assert.equal(await most(), 3);
      assert.equal(await most({ rows: 2 }), 2);
      assert.equal(await most({ rows: 2 }, { rows: 8 }), 3);
      assert.equal(await most(undefined, { rows: 1 }), 1);
    });

    it('drafts from the sources that the request allows', async () => {
      const none = { drafts: { heads: false, lookup: false } };
      const result = await guessing().complete(raw({ mode: 'exact', ...none }), never);
      assert.deepEqual([result.mode, result.steps.length], ['exact', 9]);
    });

    it('drafts what stands right of the cursor, in the prompt or not', async () => {
      for (const language of ['python', 'plaintext']) {
        const stepper = new ScriptedStepper(writes('quite some repeated text'));
        const options = { model: 'scripted', format: FORMAT, stepper, tokenizer };
        const completer = createCompleter({ ...options, drafter: new DynamicDrafter({}) });
        const place = { language, prefix: 'x_1', suffix: '\n\nquite some repeated text\n' };
        const result = await completer.complete(raw(place), never);
        assert.equal(result.text, 'quite some repeated text');
        assert.ok(result.steps.length < 12, `${language}: ${result.steps.length} steps`);
      }
    });

    it('drafts what it wrote for an earlier key, but not what a raw text was', async () => {
      const steps = async (first: Partial<CompletionRequest>) => {
        const text = 'much of it is written again';
        const script: Script = (tokens) => {
          const said = Buffer.from(tokens.filter((id) => id < 256)).toString('latin1');
          const at = said.lastIndexOf('x_1') + 3;
          return predict([Buffer.from(text)[said.length - at] ?? END, 0.5]);
        };
        const stepper = new ScriptedStepper(script);
        const options = { model: 'scripted', format: FORMAT, stepper, tokenizer };
        const completer = createCompleter({ ...options, drafter: new DynamicDrafter({}) });
        await completer.complete(request(first), never);
        const again = await completer.complete(request({ prefix: 'y = x_1' }), never);
        assert.equal(again.text, text);
        return again.steps.length;
      };
      const alone = await steps({ raw: true });
      const after = await steps({});
      assert.ok(after < alone / 2, `${after} steps instead of ${alone}`);
    });

    it('tells the texts of traced tokens', async () => {
      const trace = { candidates: 3 };
      const result = await guessing().complete(raw({ mode: 'fast', trace }), never);
      const [first] = result.steps;
      assert.deepEqual(
        first?.trace?.places.map(({ base, head }) => (base ?? head)?.texts),
        [['a'], ['b'], ['c']],
      );
      assert.deepEqual(first.trace.decision?.cells[0]?.texts, ['a', 'b', 'c']);
      const last = result.steps.at(-1)?.trace?.places;
      assert.ok(last?.every(({ base, head }) => (base ?? head)?.texts?.length === 1));
    });

    it('says so when fast mode has no table that is sound', async () => {
      const script = writes('abc');
      const stepper = new ScriptedStepper(script);
      const completer = createCompleter({
        ...{ model: 'scripted', format: FORMAT, stepper, tokenizer },
        proposer: new ScriptedProposer(stepper, script),
        table: () => Promise.reject(new EngineError('model', 'The table is damaged.')),
      });
      await assert.rejects(completer.complete(raw({ mode: 'fast' }), never), /table is damaged/);
      assert.equal((await completer.complete(raw({ mode: 'ar' }), never)).text, 'abc');
    });
  });

  it('names the ids of the tokens of each step where traces are asked for', async () => {
    const { completer } = setUp(writes('ab'));
    const traced = await completer.complete(request({ trace: { candidates: 1 } }), never);
    assert.deepEqual(
      traced.steps.map(({ ids }) => ids),
      [[97], [98]],
    );
    const { steps } = await completer.complete(request(), never);
    assert.ok(steps.every(({ ids }) => ids === undefined));
  });

  it('keeps to the order of fields that the request names', async () => {
    const { completer } = setUp(writes('1'));
    const result = await completer.complete(
      request({ order: 'prefix-first', suffix: '\n\ny = 2' }),
      never,
    );
    assert.equal(result.promptTail, '<|pre|>x_1<|suf|>\n\ny = 2<|mid|>');
  });

  it('stops decoding at the end of a single line, and shows what stands before it', async () => {
    const { completer, stepper } = setUp(writes('1\ny = 2\nz = 3'));
    const result = await completer.complete(request({ multiline: false }), never);
    assert.equal(result.text, '1');
    assert.equal(result.stopReason, 'newline');
    assert.ok(stepper.rowsRun < 7 + 5, `${stepper.rowsRun} rows`);
  });

  it('neither stops nor cuts when the raw text is asked for', async () => {
    const { completer } = setUp(writes('1\ny = 2  \n'));
    const result = await completer.complete(request({ multiline: true, raw: true }), never);
    assert.equal(result.text, '1\ny = 2  \n');
    assert.equal(result.replaceRight, 0);
  });

  it('ends raw text with its line when one line is asked for', async () => {
    const { completer } = setUp(writes('\n1  \ny = 2\n'));
    const result = await completer.complete(request({ multiline: false, raw: true }), never);
    assert.equal(result.text, '\n1  ');
    assert.equal(result.stopReason, 'newline');
  });

  it('replaces a bracket that the editor has closed', async () => {
    const { completer } = setUp(writes('(a, b)'));
    const result = await completer.complete(request({ prefix: 'foo(', suffix: ')' }), never);
    assert.equal(result.text, 'a, b)');
    assert.equal(result.replaceRight, 1);
  });

  it('heals the word at the cursor and does not repeat it', async () => {
    const script = writes([65, 66], [tokenizer.word('return')]);
    const { completer, stepper } = setUp(script);
    const result = await completer.complete(request({ prefix: 'ret', maxTokens: 2 }), never);
    assert.equal(result.text, 'urnB');
    assert.deepEqual(
      result.steps.map((step) => step.text),
      ['urn', 'B'],
    );
    assert.ok(!stepper.tokens.includes(tokenizer.word('ret')), 'the cut token is not prompted');
    assert.ok(stepper.tokens.includes(tokenizer.word('return')));
  });

  it('falls back to the word as it stood when no token continues it', async () => {
    const { completer, stepper } = setUp(writes([65, 66, 67]));
    const result = await completer.complete(request({ prefix: 'ret', maxTokens: 2 }), never);
    assert.equal(result.text, 'B');
    assert.ok(stepper.tokens.includes(tokenizer.word('ret')));
  });

  it('never shows half a character', async () => {
    const { completer } = setUp(writes('a😀'));
    const result = await completer.complete(request({ maxTokens: 3 }), never);
    assert.equal(result.text, 'a');
    assert.equal(result.stopReason, 'maxTokens');
  });

  it('reuses the rows of the request before', async () => {
    const { completer } = setUp(() => predict([END, 1]));
    await completer.complete(request({ prefix: 'x_1' }), never);
    const result = await completer.complete(request({ prefix: 'x_12' }), never);
    assert.equal(result.reusedTokens, 6);
  });

  it('fits any prompt into a small context', async () => {
    const { completer, stepper } = setUp(writes('1'), { contextLength: 64 });
    const changes = { prefix: 'a = 1\n'.repeat(500), suffix: '\nb = 2'.repeat(500) };
    for (const maxTokens of [1, 30, 1000]) {
      const result = await completer.complete(request({ ...changes, maxTokens }), never);
      assert.ok(result.promptTokens <= 63, `${result.promptTokens} tokens`);
      assert.ok(stepper.length <= 64);
    }
  });

  describe('when its signal is aborted', () => {
    const abortAtRow = (row: number, reason: Error) => {
      const abort = new AbortController();
      const set = setUp(writes('abcdef'), {
        beforeRow: (at) => {
          if (at === row) abort.abort(reason);
        },
      });
      return { ...set, signal: abort.signal };
    };

    it('returns what there is if the time is up', async () => {
      const { completer, signal } = abortAtRow(8, new DeadlineReached());
      const result = await completer.complete(request(), signal);
      assert.equal(result.text, 'abc');
      assert.equal(result.stopReason, 'deadline');
    });

    it('returns an empty text if the time was up during the prefill', async () => {
      const { completer, signal } = abortAtRow(3, new DeadlineReached());
      const result = await completer.complete(request(), signal);
      assert.equal(result.text, '');
      assert.equal(result.stopReason, 'deadline');
      assert.deepEqual(result.steps, []);
    });

    it('throws the reason otherwise, at any row, and serves the next request', async () => {
      for (let row = 0; row < 11; row++) {
        const { completer, signal } = abortAtRow(row, new EngineError('cancelled', 'Typed on.'));
        await assert.rejects(completer.complete(request(), signal), /Typed on/);
        assert.equal((await completer.complete(request(), never)).text, 'abcdef', `row ${row}`);
      }
    });

    it('hears of a cancellation that arrives while it works', async () => {
      const abort = new AbortController();
      const { completer } = setUp(() => predict([65, 1]));
      setImmediate(() => abort.abort(new EngineError('cancelled', 'Typed on.')));
      const endless = request({ raw: true, maxTokens: 900 });
      await assert.rejects(completer.complete(endless, abort.signal), /Typed on/);
    });
  });

  describe('generating', () => {
    it('streams the text in pieces that make up the result', async () => {
      const { completer } = setUp(writes(' upon 😀 time'));
      const pieces: string[] = [];
      const onStep = (step: StepSummary) => void pieces.push(step.text);
      const result = await completer.generate(generation(), onStep, never);
      assert.equal(result.text, ' upon 😀 time');
      assert.equal(pieces.join(''), result.text);
      assert.equal(result.promptTail, 'Once');
    });

    it("wraps a question in the model's conversation format", async () => {
      const { completer, stepper } = setUp(writes('Yes'));
      await completer.generate(generation({ chat: true, prompt: 'Is it?' }), silent, never);
      const [start, end] = [tokenizer.control('<|im_start|>'), tokenizer.control('<|im_end|>')];
      assert.deepEqual(stepper.tokens.slice(0, -3), [
        start,
        ...Buffer.from('user\nIs it?'),
        end,
        ...Buffer.from('\n'),
        start,
        ...Buffer.from('assistant\n'),
      ]);
    });

    it('continues the end of a text that is too long, and refuses such a question', async () => {
      const { completer } = setUp(writes('!'), { contextLength: 40 });
      const long = generation({ prompt: 'abc'.repeat(100), maxTokens: 10 });
      assert.equal((await completer.generate(long, silent, never)).promptTokens, 30);
      await assert.rejects(
        completer.generate({ ...long, chat: true }, silent, never),
        /only 30 fit/,
      );
    });

    it('reads Windows line breaks as the model does', async () => {
      for (const chat of [true, false]) {
        const tokens = async (prompt: string) => {
          const { completer, stepper } = setUp(writes('Yes'));
          await completer.generate(generation({ chat, prompt }), silent, never);
          return stepper.tokens;
        };
        assert.deepEqual(await tokens('a\r\nb'), await tokens('a\nb'));
      }
    });

    it('begins from nothing', async () => {
      const { completer } = setUp(writes('Hi'));
      const result = await completer.generate(generation({ prompt: '' }), silent, never);
      assert.equal(result.text, 'Hi');
    });

    it('is the same for the same seed at a temperature', async () => {
      const script: Script = () => predict([65, 0.3], [66, 0.3], [67, 0.3]);
      const text = async (seed: number) => {
        const { completer } = setUp(script);
        const drawn = generation({ temperature: 0.7, seed });
        return (await completer.generate(drawn, silent, never)).text;
      };
      assert.equal(await text(1), await text(1));
      assert.notEqual(await text(1), await text(2));
    });
  });
});
