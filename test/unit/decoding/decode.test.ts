import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ModelOutputError } from '../../../src/decoding/choose';
import { decode, type DecodeOptions } from '../../../src/decoding/decode';
import type { RowPrediction } from '../../../src/decoding/stepper';
import type { DecodeEnd, DecodeStep, PrefillTrace } from '../../../src/decoding/trace';
import { predict, recite, ScriptedStepper, type Script } from '../../fixtures/scripted-stepper';

const STOP = 99;
const PROMPT = [1, 2, 3];
const never = new AbortController().signal;

const options = (changes: Partial<DecodeOptions> = {}): DecodeOptions => ({
  maxTokens: 50,
  stopTokens: new Set([STOP]),
  ...changes,
});

interface Outcome {
  readonly steps: DecodeStep[];
  readonly tokens: number[];
  readonly end: DecodeEnd;
}

/** Reads a generation to its end. */
async function read(steps: AsyncGenerator<DecodeStep, DecodeEnd, void>): Promise<Outcome> {
  const seen: DecodeStep[] = [];
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      return { steps: seen, tokens: seen.flatMap((step) => step.tokens), end: next.value };
    }
    seen.push(next.value);
  }
}

const run = (script: Script, changes?: Partial<DecodeOptions>, prompt = PROMPT) =>
  read(decode(new ScriptedStepper(script), prompt, options(changes), never));

/** The invariant of every cache: it holds a prefix of what was prompted and emitted. */
function assertCacheIsPrefix(stepper: ScriptedStepper, sequence: readonly number[]): void {
  assert.deepEqual(stepper.tokens, sequence.slice(0, stepper.length));
}

describe('decode', () => {
  it('emits what the model says until a stop token, which it does not emit', async () => {
    const { tokens, end } = await run(recite([10, 11, 12], PROMPT.length, STOP));
    assert.deepEqual(tokens, [10, 11, 12]);
    assert.equal(end, 'stopToken');
  });

  it('emits nothing when the first token is a stop token', async () => {
    const { steps, end } = await run(recite([], PROMPT.length, STOP));
    assert.deepEqual(steps, []);
    assert.equal(end, 'stopToken');
  });

  it('takes the first token from the prefill and runs one row for each later one', async () => {
    const stepper = new ScriptedStepper(recite([10, 11, 12], PROMPT.length, STOP));
    const { steps } = await read(decode(stepper, PROMPT, options({ maxTokens: 3 }), never));
    assert.deepEqual(
      steps.map((step) => step.rows),
      [0, 1, 1],
    );
    assert.deepEqual(stepper.tokens, [...PROMPT, 10, 11], 'the last token needs no row');
  });

  it('stops at the token limit', async () => {
    const { tokens, end } = await run(recite([10, 11, 12], PROMPT.length, STOP), { maxTokens: 2 });
    assert.deepEqual(tokens, [10, 11]);
    assert.equal(end, 'maxTokens');
  });

  it('stops cleanly when the context is full', async () => {
    const stepper = new ScriptedStepper(() => predict([7, 1]), { contextLength: 5 });
    const { tokens, end } = await read(decode(stepper, PROMPT, options(), never));
    assert.deepEqual(tokens, [7, 7, 7], 'two fit, the third needs no row');
    assert.equal(end, 'context');
  });

  it('gives one token for a prompt that fills the context', async () => {
    const stepper = new ScriptedStepper(() => predict([7, 1]), { contextLength: 3 });
    const { tokens, end } = await read(decode(stepper, PROMPT, options(), never));
    assert.deepEqual(tokens, [7]);
    assert.equal(end, 'context');
  });

  it('reports the prefill and what it reused', async () => {
    const stepper = new ScriptedStepper(recite([10], PROMPT.length, STOP));
    const prefills: PrefillTrace[] = [];
    const watched = options({ onPrefill: (prefill) => prefills.push(prefill) });
    await read(decode(stepper, PROMPT, watched, never));
    await read(decode(stepper, PROMPT, watched, never));
    assert.deepEqual(
      prefills.map(({ tokens, reused }) => [tokens, reused]),
      [
        [3, 0],
        [3, 2],
      ],
    );
  });

  it("reports the model's own probability as confidence", async () => {
    const { steps } = await run(() => predict([7, 0.625], [8, 0.25]), { maxTokens: 1 });
    assert.ok(Math.abs((steps[0]?.confidence ?? 0) - 0.625) < 1e-6);
    assert.equal(steps[0]?.source, 'base');
  });

  it('gives the same tokens for the same seed, and others for another', async () => {
    const script: Script = (tokens) => {
      const shift = tokens.length % 3;
      return predict([10 + shift, 0.3], [20 + shift, 0.3], [30 + shift, 0.3]);
    };
    const sample = async (seed: number) =>
      (await run(script, { temperature: 1, seed, maxTokens: 40 })).tokens;
    assert.deepEqual(await sample(1), await sample(1));
    assert.notDeepEqual(await sample(1), await sample(2));
  });

  describe('token healing', () => {
    const words = new Map([
      [10, 'ret'],
      [11, 'xy'],
      [12, 'return'],
      [13, 're'],
      [STOP, 'reSTOP'],
    ]);
    const healing = {
      bytes: Buffer.from('re'),
      tokenBytes: (id: number) => Buffer.from(words.get(id) ?? ''),
      encode: () => [13],
    };

    it('takes the likeliest token that brings the cut bytes back', async () => {
      const script: Script = (tokens) =>
        tokens.length === PROMPT.length
          ? predict([11, 0.6], [STOP, 0.2], [12, 0.1], [10, 0.05])
          : predict([STOP, 1]);
      const { tokens, steps } = await run(script, { healing });
      assert.deepEqual(tokens, [12]);
      const confidence = steps[0]?.confidence ?? 0;
      assert.ok(Math.abs(confidence - 0.1 / 0.15) < 1e-6, `among those that fit: ${confidence}`);
    });

    it('takes the tokens that were cut when no candidate fits', async () => {
      const script: Script = (tokens) =>
        tokens.length === PROMPT.length ? predict([11, 0.9]) : predict([STOP, 1]);
      const stepper = new ScriptedStepper(script);
      const twice = { ...healing, encode: () => [13, 11] };
      const outcome = await read(decode(stepper, PROMPT, options({ healing: twice }), never));
      assert.deepEqual(outcome.tokens, [13, 11]);
      assert.deepEqual(stepper.tokens, [...PROMPT, 13, 11], 'both go through the model');
    });

    it('constrains the first token alone', async () => {
      const { tokens } = await run(() => predict([11, 0.9], [12, 0.1]), { healing, maxTokens: 3 });
      assert.deepEqual(tokens, [12, 11, 11]);
    });

    it('brings the cut bytes back in several tokens when the model prefers it', async () => {
      const spaces = new Map([
        [20, '   '],
        [21, ' return'],
        [22, '      '],
        [23, 'x'],
      ]);
      const indentation = {
        bytes: Buffer.from('    '),
        tokenBytes: (id: number) => Buffer.from(spaces.get(id) ?? ''),
        encode: () => assert.fail('a candidate fits'),
      };
      const script: Script = (tokens) =>
        tokens.at(-1) === 20
          ? predict([23, 0.6], [20, 0.2], [21, 0.1])
          : predict([23, 0.5], [20, 0.3], [22, 0.1]);
      const { tokens, steps } = await run(script, { healing: indentation, maxTokens: 3 });
      assert.deepEqual(tokens, [20, 20, 23]);
      assert.deepEqual(
        steps.map((step) => step.rows),
        [0, 1, 1],
      );
    });

    it('takes the usual tokens of the rest when no candidate fits any more', async () => {
      const script: Script = (tokens) =>
        tokens.length === PROMPT.length ? predict([13, 0.9]) : predict([11, 0.9]);
      const rests: string[] = [];
      const longer = {
        ...healing,
        bytes: Buffer.from('rest'),
        encode: (bytes: Uint8Array) => {
          rests.push(Buffer.from(bytes).toString());
          return [98, 97];
        },
      };
      const { tokens } = await run(script, { healing: longer, maxTokens: 4 });
      assert.deepEqual(tokens, [13, 98, 97, 11]);
      assert.deepEqual(rests, ['st']);
    });

    it('never leaves half a character to bring back', async () => {
      const half = new Map([
        [30, Buffer.from('é').subarray(0, 1)],
        [31, Buffer.from('é')],
      ]);
      const accent = {
        bytes: Buffer.from('é'),
        tokenBytes: (id: number) => half.get(id) ?? Buffer.alloc(0),
        encode: () => [31],
      };
      const { tokens } = await run(() => predict([30, 0.9], [31, 0.1]), {
        healing: accent,
        maxTokens: 1,
      });
      assert.deepEqual(tokens, [31]);
    });

    it('holds at any temperature', async () => {
      for (let seed = 0; seed < 50; seed++) {
        const changes = { healing, maxTokens: 1, temperature: 2, seed };
        const { tokens } = await run(() => predict([11, 0.9], [12, 0.06], [10, 0.04]), changes);
        assert.ok(tokens[0] === 12 || tokens[0] === 10, `token ${tokens[0]}`);
      }
    });
  });

  describe('cancellation', () => {
    const text = [10, 11, 12, 13, 14];
    const script = recite(text, PROMPT.length, STOP);
    const sequence = [...PROMPT, ...text];

    it('at any row leaves a sound cache, and the next generation is none the worse', async () => {
      for (let at = 0; at < sequence.length; at++) {
        const abort = new AbortController();
        const stepper = new ScriptedStepper(script, {
          beforeRow: (row) => {
            if (row === at) abort.abort(new Error('typed on'));
          },
        });
        const steps = decode(stepper, PROMPT, options(), abort.signal);
        await assert.rejects(read(steps), /typed on/, `row ${at}`);
        assertCacheIsPrefix(stepper, sequence);
        const again = await read(decode(stepper, PROMPT, options(), never));
        assert.deepEqual(again.tokens, text, `row ${at}`);
      }
    });

    it('between steps throws before the model is used again', async () => {
      for (let count = 0; count <= text.length; count++) {
        const abort = new AbortController();
        const stepper = new ScriptedStepper(script);
        const steps = decode(stepper, PROMPT, options(), abort.signal);
        for (let step = 0; step < count; step++) await steps.next();
        abort.abort(new Error('typed on'));
        const rows = stepper.rowsRun;
        await assert.rejects(steps.next(), /typed on/);
        assert.equal(stepper.rowsRun, rows);
        assertCacheIsPrefix(stepper, sequence);
      }
    });

    it('by just not reading on leaves a sound cache', async () => {
      const stepper = new ScriptedStepper(script);
      for await (const step of decode(stepper, PROMPT, options(), never)) {
        if (step.tokens.includes(12)) break;
      }
      assert.deepEqual(stepper.tokens, [...PROMPT, 10, 11]);
    });

    it('removes its traces from the signal', async () => {
      const { signal } = new AbortController();
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++;
        add(...args);
      };
      await read(decode(new ScriptedStepper(script), PROMPT, options(), signal));
      assert.equal(listeners, 0);
    });
  });

  describe('with a broken model or a wrong request', () => {
    const broken: Record<string, RowPrediction> = {
      'NaN logit': { ...predict([1, 0.5]), logits: Float32Array.of(NaN) },
      'infinite logit': { ...predict([1, 0.5]), logits: Float32Array.of(Infinity) },
      'all masked': { ...predict([1, 0.5]), logits: Float32Array.of(-Infinity) },
      'NaN normaliser': { ...predict([1, 0.5]), logNormalizer: NaN },
      'no candidates': predict(),
      'too few logits': { ...predict([1, 0.5]), logits: new Float32Array(0) },
      'negative id': predict([-1, 0.5]),
    };
    for (const [name, prediction] of Object.entries(broken)) {
      it(`says so: ${name}, in the prefill and in a step`, async () => {
        await assert.rejects(
          run(() => prediction),
          ModelOutputError,
        );
        const later: Script = (tokens) =>
          tokens.length === PROMPT.length ? predict([5, 1]) : prediction;
        await assert.rejects(run(later), ModelOutputError);
      });
    }

    it('says so when a step has no prediction', async () => {
      const stepper = new ScriptedStepper(() => predict([5, 1]));
      stepper.step = () => Promise.resolve([]);
      await assert.rejects(read(decode(stepper, PROMPT, options(), never)), ModelOutputError);
    });

    it('rejects prompts and options that make no sense', async () => {
      const script = recite([10], PROMPT.length, STOP);
      const wrong: Partial<DecodeOptions>[] = [
        { maxTokens: 0 },
        { maxTokens: 1.5 },
        { maxTokens: NaN },
        { temperature: -1 },
        { temperature: NaN },
        { topK: 0 },
        { healing: { bytes: new Uint8Array(), tokenBytes: () => Buffer.of(1), encode: () => [1] } },
      ];
      for (const changes of wrong) await assert.rejects(run(script, changes), RangeError);
      await assert.rejects(run(script, {}, []), RangeError);
      await assert.rejects(run(script, {}, Array<number>(1001).fill(1)), RangeError);
    });
  });

  it('equals a loop that knows nothing of steps, whatever the model says', async () => {
    const request = fc.record({
      prompt: fc.array(fc.nat(20), { minLength: 1, maxLength: 10 }),
      maxTokens: fc.integer({ min: 1, max: 30 }),
      contextLength: fc.integer({ min: 10, max: 30 }),
      salt: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ prompt, maxTokens, contextLength, salt }) => {
        const nextOf = (tokens: readonly number[]) =>
          tokens.reduce((hash, token) => (hash * 31 + token) % 1009, salt) % 21;
        const expected: number[] = [];
        while (expected.length < maxTokens && prompt.length + expected.length <= contextLength) {
          const next = nextOf([...prompt, ...expected]);
          if (next === 20) break;
          expected.push(next);
        }
        const stepper = new ScriptedStepper((tokens) => predict([nextOf(tokens), 0.9]), {
          contextLength,
        });
        const limits = { maxTokens, stopTokens: new Set([20]) };
        const outcome = await read(decode(stepper, prompt, limits, never));
        assert.deepEqual(outcome.tokens, expected);
        assertCacheIsPrefix(stepper, [...prompt, ...expected]);
      }),
    );
  });
});
