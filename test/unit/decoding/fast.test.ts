import assert from 'node:assert/strict';
import { decode, type DecodeOptions } from '../../../src/decoding/decode';
import type { FastModeOptions } from '../../../src/decoding/fast';
import { createFastChooser } from '../../../src/decoding/fast-choice';
import type { Candidates } from '../../../src/decoding/proposal';
import type { DecodeEnd, DecodeStep, TracedCandidates } from '../../../src/decoding/trace';
import { tableOf } from '../../fixtures/naive-decision';
import { ScriptedProposer, type ScriptedProposerOptions } from '../../fixtures/scripted-proposer';
import { predict, ScriptedStepper, type Script } from '../../fixtures/scripted-stepper';

const never = new AbortController().signal;
const PROMPT = [1, 2, 3];

/** Counts on, and is as sure as said; the runner-up is the number behind. */
const counting =
  (confidence = 0.9): Script =>
  (tokens) => {
    const next = (tokens.at(-1) ?? 0) + 1;
    return predict([next, confidence], [next + 1, 1 - confidence]);
  };

interface Case extends ScriptedProposerOptions {
  readonly script?: Script;
  readonly fast?: Partial<FastModeOptions>;
  readonly options?: Partial<DecodeOptions>;
  readonly contextLength?: number;
  readonly signal?: AbortSignal;
  readonly beforeRow?: () => void;
}

function start({ script = counting(), fast, options, contextLength, signal, ...rest }: Case = {}) {
  const stepper = new ScriptedStepper(script, {
    ...(contextLength !== undefined && { contextLength }),
    ...(rest.beforeRow && { beforeRow: rest.beforeRow }),
  });
  const proposer = new ScriptedProposer(stepper, script, rest);
  const decodeOptions: DecodeOptions = {
    maxTokens: 12,
    stopTokens: new Set(),
    mode: 'fast',
    fast: { epsilon: 0.5, choice: 'likeliest', temperature: 1, penalty: 1, ...fast, proposer },
    ...options,
  };
  return { stepper, proposer, steps: decode(stepper, PROMPT, decodeOptions, signal ?? never) };
}

async function read(steps: AsyncGenerator<DecodeStep, DecodeEnd, void>) {
  const seen: DecodeStep[] = [];
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      return { steps: seen, tokens: seen.flatMap(({ tokens }) => tokens), end: next.value };
    }
    seen.push(next.value);
  }
}

const lengths = (steps: readonly DecodeStep[]) => steps.map(({ tokens }) => tokens.length);

describe('fast mode', () => {
  for (const kind of ['independent', 'chained'] as const) {
    it(`emits what base and ${kind} heads agree on, from the prompt's prefill on`, async () => {
      const run = start({ kind });
      const { steps, tokens, end } = await read(run.steps);
      assert.deepEqual(tokens, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
      assert.deepEqual(lengths(steps), [3, 3, 3, 3]);
      assert.deepEqual(
        steps.map(({ rows, source }) => [rows, source]),
        [
          [0, 'head'],
          [3, 'head'],
          [3, 'head'],
          [3, 'head'],
        ],
      );
      assert.equal(end, 'maxTokens');
      assert.deepEqual(run.stepper.tokens, [...PROMPT, ...tokens.slice(0, 9)]);
    });

    it(`emits as many tokens as there are ${kind} heads at ε_b = 0, however unsure they are`, async () => {
      const { steps } = await read(
        start({ kind, script: counting(0.51), fast: { epsilon: 0 } }).steps,
      );
      assert.deepEqual(lengths(steps), [3, 3, 3, 3]);
    });
  }

  it('emits one token a step at ε_b = 1, what plain decoding says, and asks no head', async () => {
    const { proposer, steps } = start({ fast: { epsilon: 1 } });
    const fast = await read(steps);
    const plain = await read(start({ options: { mode: 'ar' } }).steps);
    assert.deepEqual(fast.tokens, plain.tokens);
    assert.ok(fast.steps.every((step) => step.tokens.length === 1 && step.source === 'base'));
    assert.deepEqual(proposer.asked, []);
  });

  it('asks no head where head 1 alone is too unsure for every order, and says the same', async () => {
    const script: Script = (tokens) => counting(tokens.length % 3 === 0 ? 0.55 : 0.9)(tokens);
    for (const kind of ['independent', 'chained'] as const) {
      for (const choice of ['likeliest', 'draw'] as const) {
        for (const epsilon of [0.3, 0.6, 0.8, 0.95]) {
          const fast = { epsilon, choice, seed: 3 };
          const run = start({ kind, script, fast });
          const { tokens, steps } = await read(run.steps);
          const traced = start({ kind, script, fast, options: { trace: { candidates: 2 } } });
          const whole = await read(traced.steps);
          assert.deepEqual([tokens, lengths(steps)], [whole.tokens, lengths(whole.steps)]);
          assert.equal(traced.proposer.asked.length, whole.steps.length);
          // Three tokens must reach 0.36 at 0.6, but 0.64 at 0.8.
          const fewer = run.proposer.asked.length < traced.proposer.asked.length;
          assert.equal(fewer, epsilon >= 0.8, `${kind}, ${choice}, ${epsilon}`);
        }
      }
    }
  });

  it('asks heads whose values a mask can lift, however unsure head 1 is', async () => {
    const table = tableOf(0, [], new Map());
    const run = start({ script: counting(0.6), fast: { epsilon: 0.9, table } });
    const { steps } = await read(run.steps);
    assert.equal(run.proposer.asked.length, steps.length);
  });

  it('takes the shorter step where the heads are unsure', async () => {
    const { steps } = await read(start({ script: counting(0.6), fast: { epsilon: 0.35 } }).steps);
    // 0.36 ≥ 0.35 for two, 0.216 ≥ 0.1225 for three.
    assert.deepEqual(lengths(steps), [3, 3, 3, 3]);
    const strict = await read(start({ script: counting(0.6), fast: { epsilon: 0.5 } }).steps);
    assert.ok(lengths(strict.steps).every((length) => length === 1));
  });

  it('asks heads behind the last emitted token', async () => {
    const { proposer, steps } = start();
    await read(steps);
    assert.deepEqual(
      proposer.asked.map((sequence) => sequence.at(-1)),
      [4, 7, 10, 13],
    );
  });

  it('asks chained heads for the likeliest first tokens', async () => {
    const { proposer, steps } = start({ kind: 'chained', fast: { chains: 2 } });
    await read(steps);
    assert.deepEqual(
      proposer.asked.map((sequence) => sequence.at(-1)),
      [4, 5, 7, 8, 10, 11, 13, 14],
    );
  });

  it('draws the same tokens with the same seed', async () => {
    const drawn = async (seed: number) =>
      (await read(start({ script: counting(0.5), fast: { choice: 'draw', seed } }).steps)).tokens;
    assert.deepEqual(await drawn(1), await drawn(1));
    assert.notDeepEqual(await drawn(1), await drawn(2));
  });

  it('decodes plainly without heads', async () => {
    const stepper = new ScriptedStepper(counting());
    const options = { maxTokens: 4, stopTokens: new Set<number>(), mode: 'fast' } as const;
    const { tokens, steps } = await read(decode(stepper, PROMPT, options, never));
    assert.deepEqual(tokens, [4, 5, 6, 7]);
    assert.deepEqual(lengths(steps), [1, 1, 1, 1]);
  });

  it('cuts a step at a stop token and at the limit', async () => {
    const stopped = await read(start({ options: { stopTokens: new Set([8]) } }).steps);
    assert.deepEqual([stopped.tokens, stopped.end], [[4, 5, 6, 7], 'stopToken']);
    const limited = await read(start({ options: { maxTokens: 5 } }).steps);
    assert.deepEqual([limited.tokens, limited.end], [[4, 5, 6, 7, 8], 'maxTokens']);
  });

  it('stops cleanly when the context is full in the middle of a step', async () => {
    for (let contextLength = 3; contextLength < 12; contextLength++) {
      const run = start({ contextLength });
      const { tokens, end } = await read(run.steps);
      assert.equal(end, 'context');
      assert.deepEqual(
        run.stepper.tokens,
        [...PROMPT, ...tokens].slice(0, run.stepper.length),
        `context ${contextLength}`,
      );
    }
  });

  it('leaves a sound cache wherever it is cancelled, and goes on from there', async () => {
    const whole = (await read(start().steps)).tokens;
    for (let cancelAt = 0; cancelAt < 16; cancelAt++) {
      const controller = new AbortController();
      let waits = 0;
      const count = () => {
        if (waits++ === cancelAt) controller.abort(new Error('cancelled'));
      };
      const run = start({ signal: controller.signal, before: count, beforeRow: count });
      const said = [...PROMPT];
      await assert.rejects(async () => {
        for await (const step of run.steps) said.push(...step.tokens);
      }, /cancelled/);
      // A cancelled step's rows are those of tokens that were handed over before.
      assert.deepEqual(run.stepper.tokens, said.slice(0, run.stepper.length), `at ${cancelAt}`);
      const proposer = new ScriptedProposer(run.stepper, counting());
      const options: DecodeOptions = {
        maxTokens: 12,
        stopTokens: new Set(),
        mode: 'fast',
        fast: { epsilon: 0.5, choice: 'likeliest', temperature: 1, penalty: 1, proposer },
      };
      const again = await read(decode(run.stepper, PROMPT, options, never));
      assert.deepEqual(again.tokens, whole);
    }
  });

  it('refuses options out of range before the model runs', async () => {
    for (const fast of [{ epsilon: -0.1 }, { epsilon: 1.5 }, { epsilon: NaN }, { chains: 0 }]) {
      const run = start({ fast });
      await assert.rejects(run.steps.next(), RangeError);
      assert.equal(run.stepper.rowsRun, 0);
    }
  });

  it('takes a top k that is larger than the vocabulary', async () => {
    assert.deepEqual(
      lengths((await read(start({ fast: { topK: 10_000 } }).steps)).steps),
      [3, 3, 3, 3],
    );
  });

  it('refuses what no sound model says', async () => {
    const broken: Script = (tokens) => ({ ...counting()(tokens), logNormalizer: NaN });
    const run = start({ script: broken });
    await assert.rejects(run.steps.next(), /install the model again/);
  });
});

describe("a step's trace", () => {
  const trace = { candidates: 2 };

  it('is there on request alone', async () => {
    for (const mode of ['ar', 'exact', 'fast'] as const) {
      const { steps } = await read(start({ options: { mode } }).steps);
      assert.ok(steps.every((step) => step.trace === undefined));
    }
  });

  it('tells in fast mode what the decision was made from, so that it can be made again', async () => {
    const pairs = Array.from({ length: 30 }, (_, a) => [`${a},${a + 1}`, 1.5] as const);
    const table = tableOf(0.001, Array<number>(40).fill(0.02), new Map(pairs));
    const fast = { epsilon: 0.3, table };
    const run = start({ script: counting(0.6), fast, options: { trace } });
    const { steps } = await read(run.steps);
    const decide = createFastChooser({ ...fast, choice: 'likeliest', temperature: 1, penalty: 1 });
    for (const step of steps) {
      const { places = [], decision } = step.trace ?? {};
      const heads = places.map(({ base, head }) => candidatesOf(base ?? head));
      const proposal = { kind: 'independent', heads } as const;
      const again = decide(proposal, []);
      assert.equal(decision?.order, again.choices.length);
      assert.equal(decision.joint, again.joint);
      assert.deepEqual(decision.tried, again.tried);
      assert.deepEqual(
        decision.cells[0]?.ids,
        again.choices.map(({ id }) => id),
      );
      assert.ok(decision.cells[0].survives);
    }
  });

  it('tells in exact mode which drafts held, and what base and heads said', async () => {
    const script = counting();
    const stepper = new ScriptedStepper(script);
    const options: DecodeOptions = {
      maxTokens: 5,
      stopTokens: new Set(),
      mode: 'exact',
      drafter: {
        begin: () => undefined,
        passed: () => undefined,
        learn: () => undefined,
        draft: ([next = 0]) =>
          Promise.resolve({
            tokens: [next + 1, 99, 98],
            source: 'head',
            kind: 'chained',
            proposed: [{ id: next + 1, candidates: predict([next + 1, 0.8], [7, 0.1], [8, 0.1]) }],
          }),
      },
      trace,
    };
    const { steps } = await read(decode(stepper, PROMPT, options, never));
    const [, step] = steps;
    assert.deepEqual(step?.draft, { source: 'head', tokens: 3, accepted: 1 });
    const { heads, places = [] } = step?.trace ?? {};
    assert.equal(heads, 'chained');
    assert.deepEqual(
      places.map(({ base, head, draft }) => [base?.ids[0], head?.ids, draft?.id, draft?.fate]),
      [
        [5, [5, 7], 5, 'accepted'],
        [6, undefined, 99, 'refused'],
        [undefined, undefined, 98, 'unreached'],
      ],
    );
  });

  it('tells in every mode what the base said', async () => {
    const { steps } = await read(start({ options: { mode: 'ar', trace } }).steps);
    assert.deepEqual(
      steps.map(({ trace: told }) => told?.places[0]?.base?.ids),
      steps.map(({ tokens: [id = 0] }) => [id, id + 1]),
    );
  });
});

function candidatesOf(traced: TracedCandidates | undefined): Candidates {
  assert.ok(traced);
  return {
    ids: Int32Array.from(traced.ids),
    logits: Float32Array.from(traced.logits),
    logNormalizer: traced.logNormalizer,
  };
}
