import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decode, type DecodeOptions } from '../../../src/decoding/decode';
import type { Draft, Drafter } from '../../../src/decoding/drafter';
import { seededRandom } from '../../../src/decoding/random';
import type { DecodeEnd, DecodeStep } from '../../../src/decoding/trace';
import { predict, ScriptedStepper, type Script } from '../../fixtures/scripted-stepper';

const VOCABULARY = 7;
const STOP = 0;
const never = new AbortController().signal;

/** A model whose next token depends on the last three, with an alternative for sampling. */
function script(seed: number): Script {
  return (tokens) => {
    const [a = 0, b = 0, c = 0] = tokens.slice(-3);
    const random = seededRandom(seed * 1009 + a * 49 + b * 7 + c);
    const first = Math.floor(random() * VOCABULARY);
    return predict([first, 0.6], [(first + 1) % VOCABULARY, 0.3]);
  };
}

/** Drafts what the model would say, spoilt now and then. */
class NoisyDrafter implements Drafter {
  private readonly said: number[] = [];
  private readonly random: () => number;
  drafted = 0;

  constructor(
    private readonly model: Script,
    seed: number,
    private readonly spoilt: number,
  ) {
    this.random = seededRandom(seed);
  }

  begin(prompt: readonly number[]): void {
    this.said.splice(0, Infinity, ...prompt);
  }

  passed(tokens: readonly number[]): void {
    this.said.push(...tokens);
  }

  draft(pending: readonly number[], most: number): Promise<Draft> {
    this.passed(pending);
    const sequence = [...this.said];
    const tokens: number[] = [];
    const count = Math.floor(this.random() * (most + 1));
    for (let place = 0; place < count; place++) {
      const wrong = this.random() < this.spoilt;
      const token = wrong ? 3 : (this.model(sequence).ids[0] ?? 0);
      tokens.push(token);
      sequence.push(token);
    }
    this.drafted += count;
    return Promise.resolve({ tokens, source: 'head' });
  }

  learn({ tokens }: Draft, accepted: number): void {
    this.passed(tokens.slice(0, accepted));
  }
}

interface Outcome {
  readonly tokens: number[];
  readonly steps: DecodeStep[];
  readonly end: DecodeEnd;
}

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

const cases = fc.record({
  seed: fc.nat(10_000),
  spoilt: fc.constantFrom(0, 0.2, 0.7, 1),
  prompt: fc.array(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 6 }),
  maxTokens: fc.integer({ min: 1, max: 40 }),
  contextLength: fc.integer({ min: 6, max: 50 }),
  temperature: fc.constantFrom(0, 0.8),
});

describe('exact mode', () => {
  it('says what plain decoding says, token for token, and ends where it ends', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ seed, spoilt, prompt, contextLength, ...rest }) => {
        const model = script(seed);
        const options: DecodeOptions = { ...rest, seed, stopTokens: new Set([STOP]) };
        const plain = await read(
          decode(new ScriptedStepper(model, { contextLength }), prompt, options, never),
        );
        const stepper = new ScriptedStepper(model, { contextLength });
        const drafter = new NoisyDrafter(model, seed, spoilt);
        const exact = await read(
          decode(stepper, prompt, { ...options, mode: 'exact', drafter }, never),
        );
        assert.deepEqual(exact.tokens, plain.tokens);
        assert.equal(exact.end, plain.end);
        assert.ok(exact.steps.length <= plain.steps.length);
      }),
      { numRuns: 400 },
    );
  });

  it('keeps in the cache only what was said', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ seed, spoilt, prompt, contextLength, maxTokens }) => {
        const model = script(seed);
        const stepper = new ScriptedStepper(model, { contextLength });
        const drafter = new NoisyDrafter(model, seed, spoilt);
        const options = {
          maxTokens,
          stopTokens: new Set<number>(),
          mode: 'exact',
          drafter,
        } as const;
        const said = [...prompt];
        for await (const step of decode(stepper, prompt, options, never)) {
          said.push(...step.tokens);
          const shorter = Math.min(said.length, stepper.length);
          assert.deepEqual(stepper.tokens.slice(0, shorter), said.slice(0, shorter));
          assert.ok(stepper.length <= said.length || said.length === prompt.length + maxTokens);
        }
      }),
    );
  });

  it('takes as many tokens a step as drafts hold', async () => {
    const model: Script = (tokens) => predict([tokens.length % 5 === 0 ? 1 : 2, 0.9]);
    const drafter = new NoisyDrafter(model, 3, 0);
    drafter.draft = (pending) => {
      drafter.passed(pending);
      const sequence = [...drafterSequence(drafter)];
      const tokens = [0, 1, 2].map(() => {
        const token = model(sequence).ids[0] ?? 0;
        sequence.push(token);
        return token;
      });
      return Promise.resolve({ tokens, source: 'lookup' });
    };
    const options = {
      maxTokens: 9,
      stopTokens: new Set<number>(),
      mode: 'exact',
      drafter,
    } as const;
    const stepper = new ScriptedStepper(model);
    const { steps } = await read(decode(stepper, [2], options, never));
    assert.deepEqual(
      steps.map(({ tokens, source, rows, draft }) => [tokens.length, source, rows, draft]),
      [
        [1, 'base', 0, undefined],
        [4, 'lookup', 4, { source: 'lookup', tokens: 3, accepted: 3 }],
        [4, 'lookup', 4, { source: 'lookup', tokens: 3, accepted: 3 }],
      ],
    );
  });

  it('leaves a sound cache wherever it is cancelled, and goes on from there', async () => {
    const model = script(5);
    const options = { maxTokens: 12, stopTokens: new Set<number>() };
    const prompt = [1, 2];
    const plain = await read(decode(new ScriptedStepper(model), prompt, options, never));
    for (let cancelAt = 0; cancelAt < 40; cancelAt++) {
      const controller = new AbortController();
      let rows = 0;
      const stepper = new ScriptedStepper(model, {
        beforeRow: () => {
          if (rows++ === cancelAt) controller.abort(new Error('cancelled'));
        },
      });
      const exact = {
        ...options,
        mode: 'exact',
        drafter: new NoisyDrafter(model, 1, 0.3),
      } as const;
      const said = [...prompt];
      try {
        for await (const step of decode(stepper, prompt, exact, controller.signal)) {
          said.push(...step.tokens);
        }
      } catch (error) {
        assert.equal((error as Error).message, 'cancelled');
      }
      assert.deepEqual(stepper.tokens, said.slice(0, stepper.length), `cancelled at ${cancelAt}`);
      const again = await read(decode(stepper, prompt, exact, never));
      assert.deepEqual(again.tokens, plain.tokens);
    }
  });
});

function drafterSequence(drafter: NoisyDrafter): readonly number[] {
  return (drafter as unknown as { said: number[] }).said;
}
