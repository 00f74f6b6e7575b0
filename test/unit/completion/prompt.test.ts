import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  buildPrompt,
  MOST_CONTROL_TOKENS,
  type PromptBudget,
} from '../../../src/completion/prompt';
import { leftOf } from '../../../src/completion/text';
import type { CursorContext, PromptFormat } from '../../../src/completion/types';
import { prefixWindow } from '../../../src/completion/window';
import { smallTokenizer } from '../../fixtures/tokenizer-small';
import { at } from './notation';

const tokenizer = smallTokenizer();
const fim = {
  prefix: '<|fim_prefix|>',
  suffix: '<|fim_suffix|>',
  middle: '<|fim_middle|>',
  order: 'suffix-first',
} as const;
const coder: PromptFormat = { fim, stop: ['<|endoftext|>'] };
const writer: PromptFormat = { stop: ['<|endoftext|>'] };

/** The prompt as text, control tokens by short names: P, S, M and E for the end of text. */
function show(tokens: readonly number[]): string {
  const names = new Map([
    [tokenizer.control('<|fim_prefix|>'), '‹P›'],
    [tokenizer.control('<|fim_suffix|>'), '‹S›'],
    [tokenizer.control('<|fim_middle|>'), '‹M›'],
    [tokenizer.control('<|endoftext|>'), '‹E›'],
  ]);
  return tokens.map((id) => names.get(id) ?? tokenizer.decode([id])).join('');
}

function prompt(
  document: string,
  options: {
    format?: PromptFormat;
    language?: string;
    budget?: PromptBudget;
    order?: 'prefix-first';
    heal?: boolean;
  } = {},
) {
  const { format = coder, language, ...rest } = options;
  const built = buildPrompt({ context: at(document, language), format, tokenizer, ...rest });
  return { ...built, text: show(built.tokens) };
}

describe('prompt layout', () => {
  const cases: [string, string, Parameters<typeof prompt>[1], string, string][] = [
    ['suffix first', 'a = (|);\n', { heal: false }, '‹P›‹S›);\n‹M›a = (', ''],
    ['prefix first', 'a = (|);\n', { order: 'prefix-first' }, '‹P›a = (‹S›);\n‹M›', ''],
    ['continuation in prose', 'a = (|);\n', { language: 'markdown', heal: false }, 'a = (', ''],
    ['continuation without FIM', 'a = (|);\n', { format: writer, heal: false }, 'a = (', ''],
    ['closing brackets left out', 'a = ([|])\nb', { heal: false }, '‹P›‹S›\nb‹M›a = ([', ''],
    ['an empty document', '|', {}, '‹P›‹S›‹M›', ''],
    ['an empty document of prose', '|', { language: 'plaintext' }, '‹E›', ''],
    ['CRLF as LF', 'a\r\n(|\r\n)\r\n', { heal: false }, '‹P›‹S›\n)\n‹M›a\n(', ''],
    ['a cursor within a CRLF', '(\r|\n)', { heal: false }, '‹P›‹S›\n)‹M›(', ''],
    ['healing of a word', 'the foo|', {}, '‹P›‹S›‹M›the', ' foo'],
    ['healing of a part of a word', '(retur|', {}, '‹P›‹S›‹M›(retu', 'r'],
    ['healing of an underscore', '._|', {}, '‹P›‹S›‹M›.', '_'],
    ['healing of the only token', 'foo|', {}, '‹P›‹S›‹M›', 'foo'],
    ['healing of the only token of prose', 'foo|', { format: writer }, '‹E›', 'foo'],
    ['no healing of a digit', 'x1|', {}, '‹P›‹S›‹M›x1', ''],
    ['healing of a bracket', 'foo(|', {}, '‹P›‹S›‹M›foo', '('],
    ['healing of a space', 'foo |', {}, '‹P›‹S›‹M›foo', ' '],
    ['healing of an indentation', 'foo:\n    |', {}, '‹P›‹S›‹M›foo:\n', '    '],
    ['no healing of a line break', 'foo\n|', {}, '‹P›‹S›‹M›foo\n', ''],
    ['no healing prefix first', 'foo|', { order: 'prefix-first' }, '‹P›foo‹S›‹M›', ''],
    ['no healing when told', 'foo|', { heal: false }, '‹P›‹S›‹M›foo', ''],
  ];
  for (const [name, document, options, text, healed] of cases) {
    it(`has ${name}`, () => {
      const built = prompt(document, options);
      assert.equal(built.text, text);
      assert.equal(built.healed, healed);
    });
  }

  it('does not heal half a character', () => {
    const built = prompt('中|');
    assert.equal(built.healed, '');
    assert.equal(tokenizer.decode(built.tokens), '中');
  });

  it('takes look-alikes of control tokens as text', () => {
    const built = prompt('"<|fim_middle|>" + ¦');
    assert.equal(built.tokens.filter((id) => id === tokenizer.control(fim.middle)).length, 1);
    assert.equal(tokenizer.decode(built.tokens) + built.healed, '"<|fim_middle|>" + ');
  });

  it('says which control token is missing', () => {
    const format = { ...coder, fim: { ...fim, middle: '<MID>' } };
    assert.throws(() => prompt('a|', { format }), /no control token <MID>/);
    const request = { context: at('|', 'plaintext'), format: { stop: [] } };
    const bare = { ...tokenizer, control: () => undefined };
    assert.throws(() => buildPrompt({ ...request, tokenizer: bare }), /begin an empty prompt/);
  });
});

describe('prompt budget', function () {
  this.timeout(60_000);

  const lines = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => `foo(${String(from + index)});\n`).join('');

  it('cuts the prefix at a line start and the suffix at a line end', () => {
    const document = `${lines(100)}(|)\n${lines(100, 100)}`;
    const built = prompt(document, { heal: false, budget: { prefix: 60, suffix: 30 } });
    assert.match(built.text, /^‹P›‹S›\n(?:foo\(\d+\);\n)+‹M›(?:foo\(\d+\);\n)+\($/);
    assert.deepEqual(built.truncated, { prefix: true, suffix: true });
    assert.ok(built.tokens.length > 45 + MOST_CONTROL_TOKENS);
  });

  it('keeps all that fits', () => {
    const built = prompt(`${lines(3)}|${lines(3)}`, { budget: { prefix: 60, suffix: 60 } });
    assert.equal(built.text, `‹P›‹S›${lines(3)}‹M›${lines(3)}`);
    assert.deepEqual(built.truncated, { prefix: false, suffix: false });
  });

  it('cuts a long line within itself', () => {
    const built = prompt(`${'x'.repeat(5000)}(|)${'y'.repeat(5000)}`, {
      heal: false,
      budget: { prefix: 40, suffix: 20 },
    });
    assert.match(built.text, /^‹P›‹S›\)y{19}‹M›x{20,39}\($/);
  });

  it('leaves the cut of the prefix where it is while the user types', () => {
    const budget = 256;
    const typed = lines(60, 500);
    let cuts = 0;
    let last: string | undefined;
    for (let length = 0; length <= typed.length; length += 1) {
      const { text, tokens } = prefixWindow(lines(200) + typed.slice(0, length), budget, tokenizer);
      assert.ok(tokens.length <= budget && tokens.length >= (3 * budget) / 8);
      if (last !== undefined && !text.startsWith(last)) cuts += 1;
      last = text;
    }
    // The grid is 256 characters wide; text as dense as this uses a finer one in between.
    const most = 2 * Math.ceil(typed.length / budget);
    assert.ok(cuts >= 1 && cuts <= most, `${String(cuts)} cuts`);
  });

  it('does not read a large document whole', () => {
    const read: number[] = [];
    const counting = {
      ...tokenizer,
      encode: (text: string) => {
        read.push(text.length);
        return tokenizer.encode(text);
      },
    };
    const context = { prefix: lines(100_000), suffix: lines(100_000), language: 'c' };
    buildPrompt({
      context,
      format: coder,
      tokenizer: counting,
      budget: { prefix: 64, suffix: 64 },
    });
    assert.ok(read.reduce((sum, length) => sum + length, 0) < 20_000);
  });

  const fragment = fc.constantFrom(
    'foo',
    ' return ',
    '\n',
    '\r\n',
    '\n\n',
    '    ',
    '\t',
    '12',
    'é',
    '中文',
    '👩‍👧',
    '();',
    '<|fim_middle|>',
  );
  const text = fc.oneof(
    fc.array(fragment, { maxLength: 120 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 80 }),
  );
  const request = fc.record({
    prefix: text.map((value) => value.normalize('NFC')),
    suffix: text.map((value) => value.normalize('NFC')),
    language: fc.constantFrom('typescript', 'markdown'),
    budget: fc.record({ prefix: fc.nat({ max: 80 }), suffix: fc.nat({ max: 40 }) }),
    order: fc.constantFrom<'suffix-first' | 'prefix-first'>('suffix-first', 'prefix-first'),
  });
  const plain = (value: string) => value.replace(/\r\n?/g, '\n').normalize('NFC');

  /** The document's text in a prompt, apart by side, with the healed text put back. */
  function sides(
    context: CursorContext,
    budget: PromptBudget,
    order: 'suffix-first' | 'prefix-first',
  ) {
    const built = buildPrompt({ context, format: coder, tokenizer, budget, order });
    const groups: number[][] = [[]];
    const controls = [fim.prefix, fim.suffix, fim.middle].map((name) => tokenizer.control(name));
    for (const id of built.tokens) {
      if (controls.includes(id)) groups.push([]);
      else groups.at(-1)?.push(id);
    }
    const texts = groups.map((ids) => tokenizer.decode(ids));
    const [beginning = '', first = '', second = '', third = ''] = texts;
    const prefix =
      built.kind === 'continuation' ? beginning : built.kind === 'prefix-first' ? first : third;
    return { built, prefix: prefix + built.healed, suffix: second };
  }

  it('is never exceeded', () => {
    fc.assert(
      fc.property(request, ({ budget, order, ...context }) => {
        const { built } = sides(context, budget, order);
        assert.ok(built.tokens.length > 0);
        assert.ok(built.tokens.length <= budget.prefix + budget.suffix + MOST_CONTROL_TOKENS);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves text of the document that touches the cursor, healed text put back', () => {
    fc.assert(
      fc.property(request, ({ budget, order, ...context }) => {
        const { prefix, suffix, built } = sides(context, budget, order);
        assert.ok(plain(leftOf(context)).endsWith(prefix));
        assert.ok(plain(context.suffix).startsWith(suffix));
        if (!built.truncated.prefix) {
          assert.equal(prefix, plain(leftOf(context)));
        }
      }),
      { numRuns: 500 },
    );
  });
});
