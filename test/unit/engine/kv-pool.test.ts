import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  commonPrefix,
  MOST_LOST_ROWS,
  StatePool,
  type PooledState,
} from '../../../src/engine/kv-pool';

const ROW_BYTES = 10;

class FakeState implements PooledState {
  readonly rowBytes = ROW_BYTES;
  tokens: number[] = [];
  most = 0;
  /** Rows that the system still has memory for, if it is short. */
  static left: number | undefined;

  get bytes(): number {
    return this.most * ROW_BYTES;
  }
  reserve(rows: number): void {
    if (FakeState.left !== undefined && rows > FakeState.left) {
      throw new RangeError('Array buffer allocation failed');
    }
    this.most = Math.max(this.most, rows);
  }
  rewind(length: number): void {
    assert.ok(length <= this.tokens.length);
    this.tokens.length = length;
  }
  copy(from: FakeState, length: number): void {
    assert.ok(length <= from.tokens.length);
    this.tokens = [];
    this.reserve(length);
    this.tokens = from.tokens.slice(0, length);
    this.most = Math.max(this.most, length);
  }
  fill(tokens: readonly number[]): void {
    this.tokens.push(...tokens.slice(this.tokens.length));
    this.most = Math.max(this.most, this.tokens.length);
  }
}

const pool = (rows: number) =>
  new StatePool({ create: () => new FakeState(), budget: rows * ROW_BYTES });

/** As a session does: selects, then runs what is missing. Returns what was reused. */
function prefill(states: StatePool<FakeState>, tokens: readonly number[]): number {
  const kept = states.select(tokens, tokens.length - 1);
  assert.deepEqual(states.current.tokens, tokens.slice(0, kept), 'holds what it says');
  states.current.fill(tokens);
  return kept;
}

/** A prompt of one document: control tokens, then its own. */
const document = (name: number, length: number): number[] => [
  1,
  2,
  ...Array<number>(length - 2).fill(100 + name),
];

describe('the pool of states', () => {
  it('gives back a document whole after another one', () => {
    const states = pool(2000);
    const [a, b] = [document(1, 600), document(2, 600)];
    assert.equal(prefill(states, a), 0);
    assert.equal(prefill(states, b), 2, 'the control tokens alone');
    for (let i = 0; i < 3; i++) {
      assert.equal(prefill(states, [...a, 5 + i]), 600);
      assert.equal(prefill(states, [...b, 5 + i]), 600);
    }
    assert.equal(states.size, 2);
  });

  it('goes on in the same state while a document changes near its end', () => {
    const states = pool(10_000);
    const text = document(1, 1000);
    prefill(states, text);
    for (let typed = 0; typed < 50; typed++) {
      prefill(states, [...text, ...Array<number>(typed).fill(7), 9]);
    }
    assert.equal(states.size, 1);
  });

  it('copies what two prompts share when the one would lose much', () => {
    const states = pool(10_000);
    const first = document(1, 1000);
    const second = [...first.slice(0, 500), ...Array<number>(300).fill(7)];
    prefill(states, first);
    assert.equal(prefill(states, second), 500);
    assert.equal(prefill(states, [...first, 3]), 1000, 'the first one lost nothing');
  });

  it('lets the least recently used go when memory runs out', () => {
    const states = pool(1300);
    const [a, b, c] = [document(1, 600), document(2, 600), document(3, 600)];
    prefill(states, a);
    prefill(states, b);
    prefill(states, [...a, 5]);
    assert.equal(prefill(states, c), 2);
    assert.equal(prefill(states, [...a, 6]), 600, 'used later than the other');
    assert.equal(prefill(states, [...b, 6]), 2);
  });

  describe('where the system has no memory left', () => {
    afterEach(() => (FakeState.left = undefined));

    it('goes on in the state that there is, instead of a copy', () => {
      const states = pool(1e9);
      const text = document(1, 1000);
      prefill(states, text);
      FakeState.left = 100;
      assert.equal(prefill(states, [...text.slice(0, 500), 7]), 500);
      assert.equal(prefill(states, [...text.slice(0, 500), 8]), 500);
    });

    it('lets the other states go before it gives up', () => {
      const states = pool(1e9);
      for (const name of [1, 2, 3]) prefill(states, document(name, 600));
      assert.equal(states.size, 3);
      const reserve = states.current.reserve.bind(states.current);
      states.current.reserve = (rows) => {
        if (states.size > 1) throw new RangeError('Array buffer allocation failed');
        reserve(rows);
      };
      states.reserve(700);
      assert.equal(states.size, 1);
      assert.equal(states.current.most, 700);
      FakeState.left = 700;
      assert.throws(() => states.reserve(800), RangeError);
    });
  });

  it('has one state without a budget', () => {
    const states = pool(0);
    prefill(states, document(1, 600));
    assert.equal(prefill(states, document(2, 600)), 2);
    assert.equal(states.size, 1);
  });

  it('always holds what it says, within the budget or in a single state', () => {
    const token = fc.integer({ min: 1, max: 3 });
    const prompt = fc
      .tuple(fc.array(token, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 400 }))
      .map(([parts, each]) => parts.flatMap((part) => Array<number>(each).fill(part)));
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 30 }), fc.nat(3000), (prompts, rows) => {
        const states = pool(rows);
        const seen: number[][] = [];
        for (const tokens of prompts) {
          const kept = prefill(states, tokens);
          const single = Math.max(0, ...seen.slice(-1).map((last) => commonPrefix(last, tokens)));
          assert.ok(kept >= Math.min(single, tokens.length - 1), 'no worse than one state');
          const grown = states.size === 1 || states.bytes <= (rows + tokens.length) * ROW_BYTES;
          assert.ok(grown, 'within the budget, but for what the last prompt grew by');
          seen.push([...tokens]);
        }
      }),
    );
  });

  it('keeps a short loss in place: a completion that was not accepted', () => {
    const states = pool(10_000);
    const text = document(1, 400);
    prefill(states, text);
    states.current.fill([...text, ...Array<number>(MOST_LOST_ROWS).fill(8)]);
    assert.equal(prefill(states, [...text, 5]), 400);
    assert.equal(states.size, 1);
  });
});
