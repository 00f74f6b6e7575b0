import assert from 'node:assert/strict';
import { details, ProgressLine, speed } from '../../../src/cli/present';
import { table } from '../../../src/cli/table';
import { colours, NO_SCREEN, width, type Screen } from '../../../src/cli/terminal';
import { PROMPT_TAIL } from '../../../src/engine/prompt-text';
import type { CompletionResult, ModelInfo, StepSummary } from '../../../src/engine/protocol';

const INFO: ModelInfo = { id: 'tiny', precision: 'int8', contextLength: 100, loadMs: 1234 };
const PROVIDER = { name: 'cpu', device: 0, why: 'there is no GPU.' } as const;
const TERMINAL: Screen = { paint: colours, columns: 80 };

const step = (text: string, changes: Partial<StepSummary> = {}): StepSummary => ({
  n: 1,
  text,
  source: 'base',
  confidence: 0.5,
  rows: 1,
  ms: 12.34,
  ...changes,
});

const result = (changes: Partial<CompletionResult> = {}): CompletionResult => ({
  kind: 'completion',
  text: 'x',
  tokens: 1,
  steps: [step('x', { rows: 0 })],
  prefillMs: 250,
  decodeMs: 100,
  stopReason: 'stopToken',
  model: 'tiny',
  mode: 'ar',
  promptTokens: 10,
  reusedTokens: 0,
  promptTail: 'y = ',
  replaceRight: 0,
  ...changes,
});

const show = (changes: Partial<CompletionResult>, screen = NO_SCREEN) =>
  details('a.py:1:5', INFO, PROVIDER, result(changes), screen);

describe('a table', () => {
  it('is aligned, numbers on the right', () => {
    const rows = [
      ['name', 'ms', 'text'],
      ['a', '1.0', 'x'],
      ['long name', '100.0', ''],
    ];
    assert.equal(
      table(rows, { align: ['left', 'right'] }),
      ['name          ms  text', 'a            1.0  x', 'long name  100.0', ''].join('\n'),
    );
  });

  it('counts cells, not characters', () => {
    const lines = table([
      ['a', 'b'],
      ['中文', '|'],
      ['😀x', '|'],
      ['e\u0301', '|'],
    ]).split('\n');
    assert.deepEqual(
      lines.slice(1, 4).map((line) => width(line.slice(0, line.indexOf('|')))),
      [6, 6, 6],
    );
  });

  it('cuts its last column where the screen ends', () => {
    const lines = table(
      [
        ['a', 'b'],
        ['1', '中'.repeat(50)],
      ],
      { columns: 20 },
    ).split('\n');
    assert.equal(lines[1], `1  ${'中'.repeat(8)}…`);
  });

  it('needs no rows', () => {
    assert.equal(table([['a', 'b']]), 'a  b\n');
  });
});

describe('the details of a completion', () => {
  it('are the prompt, the completion, the speed and the steps', () => {
    const text = show({
      text: '1 + 2',
      tokens: 4,
      steps: [
        step('1', { rows: 0, confidence: 1 }),
        step(' +', { confidence: 0.333 }),
        step(' 2\n', { n: 2, source: 'head', rows: 3, ms: 100 }),
      ],
      reusedTokens: 4,
    });
    assert.equal(
      text,
      `a.py:1:5 · tiny, int8, mode ar

  y = 1 + 2

4 tokens in 3 steps (1.33 a step) · 30.0 tokens/s · ended: stopToken
steps by tokens: 1: 67 %, 2: 33 %
10 prompt tokens (6 of them run) in 250 ms · model loaded in 1.2 s
on the CPU: there is no GPU.

step  tokens  source  confidence       ms  text
   1       1  base         100 %  prefill  1
   2       1  base          33 %     12.3  ·+
   3       2  head          50 %    100.0  ·2⏎
`,
    );
  });

  it('begin with a whole line of the prompt where there is one', () => {
    const cut = 'c'.repeat(PROMPT_TAIL);
    assert.match(
      show({ promptTail: `${cut}\n\n  one\n  two` }),
      /\n\n {2}…\n {4}one\n {4}twox\n\n/,
    );
    assert.match(show({ promptTail: 'whole\nprompt' }), /\n\n {2}whole\n {2}promptx\n/);
    assert.match(show({ promptTail: cut }), /\n\n {2}c+x\n/);
    assert.match(show({ promptTail: `${cut}\n` }), /\n\n {2}c+\n {2}x\n/);
  });

  it('say that there is nothing to add, and what would be replaced', () => {
    assert.match(show({ text: '' }), /y = \(nothing to add\)/);
    assert.match(show({ replaceRight: 1 }), /x {2}\(replaces 1 character on the right\)/);
  });

  it('send a terminal no control characters but their own', () => {
    const hostile = 'a\u001b]0;title\u0007\u001b[2J\r\n\tb\r\u202ec\u0000\u009b';
    for (const screen of [TERMINAL, NO_SCREEN]) {
      const text = details(
        `${hostile}.py:1:1`,
        INFO,
        { ...PROVIDER, why: hostile },
        result({ text: hostile, promptTail: hostile, steps: [step(hostile)] }),
        screen,
      );
      // eslint-disable-next-line no-control-regex -- these are the ones that may be there
      const others = text.replace(/\u001b\[(?:1|2|22|32|39)m/g, '');
      assert.doesNotMatch(others, /[^\P{Cc}\n\t]|\p{Bidi_Control}/u);
    }
  });

  it('colour the prompt and the completion differently', () => {
    assert.match(
      show({ text: 'z', promptTail: 'q' }, TERMINAL),
      // eslint-disable-next-line no-control-regex -- colours are made of them
      /\u001b\[2mq\u001b\[22m\u001b\[32mz\u001b\[39m/,
    );
  });

  it('show the beginning and the end of many steps, each in a line of the screen', () => {
    const steps = Array.from({ length: 100 }, (_, i) => step(`${'long '.repeat(i)}`));
    const lines = show({ steps }, { ...NO_SCREEN, columns: 80 }).split('\n');
    const rows = lines.slice(lines.findIndex((line) => line.startsWith('step')) + 1);
    assert.equal(rows.length, 24 + 1 + 8 + 1);
    assert.match(rows[24] ?? '', /… .* 68 more steps/);
    assert.match(rows[32] ?? '', /^ 100 .*…$/);
    assert.ok(rows.every((row) => width(row) <= 80));
    assert.equal(show({ steps }).match(/base/g)?.length, 100, 'all of them in a file');
  });
});

describe('the speed', () => {
  it('does not count the token that the prefill gave', () => {
    assert.match(speed(result()), /^1 token in 1 step \(1\.00 a step\) · - tokens\/s/);
    assert.match(speed(result({ steps: [], tokens: 0 })), /^0 tokens in 0 steps · - tokens\/s/);
  });
});

describe('progress', () => {
  const log = (isTTY: boolean) => {
    const written: string[] = [];
    const stream = { isTTY, columns: 30, write: (text: string) => written.push(text) };
    const line = new ProgressLine(stream as unknown as NodeJS.WriteStream);
    for (let done = 0; done <= 1000; done += 5) {
      line.show({ phase: 'download', source: 'somewhere far away', done, total: 1000 });
    }
    line.clear();
    return written;
  };

  it('is one line of a terminal, no longer than it', () => {
    const written = log(true);
    assert.equal(written.length, 202);
    const clear = '\r\u001b[2K';
    assert.ok(
      written.every((text) => text.startsWith(clear) && width(text.slice(clear.length)) < 30),
    );
  });

  it('is a line for every tenth in a log', () => {
    const written = log(false);
    assert.equal(written.length, 11);
    assert.ok(written.every((text) => /^Downloading \d+ % .*\n$/.test(text)));
  });
});
