import assert from 'node:assert/strict';
import type { PromptFormat } from '../../../src/completion/types';
import type { Proposer } from '../../../src/decoding/stepper';
import { createInspector } from '../../../src/engine/inspect';
import { inspectionSchema } from '../../../src/engine/inspection';
import type { InspectRequest } from '../../../src/engine/protocol';
import { characterTokenizer } from '../../fixtures/character-tokenizer';
import { tableOf } from '../../fixtures/naive-decision';
import { predict, ScriptedStepper, type Script } from '../../fixtures/scripted-stepper';

const FORMAT: PromptFormat = { stop: ['<|endoftext|>'] };
const tokenizer = characterTokenizer(['ret', 'return'], ['<|endoftext|>']);
const END = tokenizer.control('<|endoftext|>') ?? -1;
const never = new AbortController().signal;
const code = (text: string) => text.charCodeAt(0);

/** Behind any text: the next letter of the alphabet, or the end. */
const alphabet: Script = (tokens) => predict([(tokens.at(-1) ?? 0) + 1, 0.7], [END, 0.2]);

/** Heads that know the alphabet behind the next token, too. */
function heads(kind: Proposer['kind']): Proposer & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    kind,
    depth: 2,
    asked,
    behind: () => 1,
    propose(next) {
      asked.push(next);
      const links = [1, 2].map((i) => ({ id: next + i, candidates: predict([next + i, 0.5]) }));
      return Promise.resolve(links);
    },
  };
}

function setUp(script: Script, proposer?: Proposer, table = false) {
  const stepper = new ScriptedStepper(script);
  const parts = { model: 'scripted', format: FORMAT, stepper, tokenizer, proposer };
  const held = table
    ? { table: () => Promise.resolve(tableOf(0, [], new Map([['98,99', 2]]))) }
    : {};
  return { stepper, inspect: createInspector({ ...parts, ...held }) };
}

const behind = (prompt: string, changes: Partial<InspectRequest> = {}): InspectRequest => ({
  place: { kind: 'prompt', prompt },
  chains: 2,
  ...changes,
});

describe('the inspector', () => {
  it('tells the base alone where there are no heads', async () => {
    const { inspect } = setUp(alphabet);
    const result = inspectionSchema.parse(await inspect(behind('a'), never));
    assert.equal(result.depth, 0);
    assert.deepEqual(result.proposal, {
      kind: 'independent',
      heads: [{ ...predict([98, 0.7]), ids: [98, END], logits: logits(0.7, 0.2) }],
    });
    assert.deepEqual(result.tokens, [
      { id: 98, kind: 'text', text: 'b' },
      { id: END, kind: 'control', text: '<|endoftext|>' },
    ]);
  });

  it('tells each independent head, and what the table holds of their tokens', async () => {
    const { inspect } = setUp(alphabet, heads('independent'), true);
    const { proposal, table } = await inspect(behind('a'), never);
    assert.ok(proposal.kind === 'independent');
    assert.deepEqual(
      proposal.heads.map(({ ids }) => ids[0]),
      [98, 99, 100],
    );
    assert.deepEqual(table?.pairs, [[98, 99, 2]]);
  });

  it('follows chained heads behind as many first tokens as asked for', async () => {
    const proposer = heads('chained');
    const { inspect } = setUp(alphabet, proposer);
    const { proposal } = await inspect(behind('a'), never);
    assert.ok(proposal.kind === 'chained');
    assert.deepEqual(
      proposal.chains.map((chain) => chain.map(({ id }) => id)),
      [
        [98, 99, 100],
        [END, END + 1, END + 2],
      ],
    );
    await inspect(behind('a', { chains: 1 }), never);
    assert.deepEqual(proposer.asked, [98, END, 98]);
  });

  it('looks behind tokens that were generated since, and names them as recent', async () => {
    const { inspect, stepper } = setUp(alphabet);
    const result = await inspect(behind('a', { after: [98, 99] }), never);
    assert.deepEqual(stepper.tokens, [97, 98, 99]);
    assert.deepEqual(result.recent, [98, 99]);
    assert.equal(result.promptTail, 'abc');
  });

  it('brings back what token healing cut, because decisions begin behind it', async () => {
    const whole = tokenizer.word('return');
    const { inspect, stepper } = setUp(() => predict([whole, 0.6], [code('x'), 0.3]));
    const place = { kind: 'cursor', prefix: 'a ret', suffix: '', language: 'x', maxTokens: 9 };
    const result = await inspect({ place, chains: 1 } as InspectRequest, never);
    assert.equal(result.healed, 'ret');
    assert.deepEqual(stepper.tokens, [code('a'), code(' '), whole]);
    assert.deepEqual(result.recent, [whole]);
  });

  it('shows a token that is part of a character by its bytes', async () => {
    const { inspect } = setUp(() => predict([0xe2, 0.5]));
    const { tokens } = await inspect(behind('a'), never);
    assert.deepEqual(tokens, [{ id: 0xe2, kind: 'bytes', text: 'e2' }]);
  });

  it('refuses a place beyond the context and tokens that the model does not write', async () => {
    const { inspect } = setUp(alphabet);
    const far = Array.from({ length: 1000 }, () => 98);
    await assert.rejects(inspect(behind('a', { after: far }), never), { code: 'badRequest' });
    await assert.rejects(inspect(behind('a', { after: [END] }), never), { code: 'badRequest' });
  });

  it('stops when it is cancelled', async () => {
    const { inspect } = setUp(alphabet);
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(inspect(behind('a'), signal), /enough/);
  });
});

const logits = (...probabilities: number[]) =>
  probabilities.map((probability) => Math.fround(Math.log(probability)));
