import assert from 'node:assert/strict';
import type { StepSummary } from '../../../src/engine/protocol';
import { Retelling } from '../../../src/engine/retelling';

const step = (text: string): StepSummary => ({
  ...{ n: 1, text, source: 'base', confidence: 1, rows: 1, ms: 1 },
});

describe('a request that is begun again', () => {
  /** Tells pieces, `null` for a new beginning. */
  function tell(...pieces: (string | null)[]): string[] {
    const told: string[] = [];
    const telling = new Retelling(({ text }) => told.push(text));
    for (const piece of pieces) {
      if (piece === null) telling.begin();
      else telling.tell(step(piece));
    }
    return told;
  }

  it('tells every step of its first run, those without text too', () => {
    assert.deepEqual(tell('a', '', 'b'), ['a', '', 'b']);
  });

  it('tells only what is new, however the text is cut', () => {
    assert.deepEqual(tell('ab', 'c', null, 'a', 'bcd', '', 'e'), ['ab', 'c', 'd', '', 'e']);
    assert.deepEqual(tell('ab', null, 'a', null, 'abc'), ['ab', 'c']);
    assert.deepEqual(tell(null, 'a'), ['a']);
  });

  it('fails where the text contradicts what was told', () => {
    const telling = new Retelling(() => undefined);
    telling.tell(step('ab'));
    telling.begin();
    telling.tell(step('a'));
    assert.throws(() => telling.tell(step('x')), /goes on otherwise/);
    assert.ok(telling.failed);
  });

  it('fails where the text ends before what was told', () => {
    const telling = new Retelling(() => undefined);
    telling.tell(step('ab'));
    telling.end();
    telling.begin();
    telling.tell(step('a'));
    assert.throws(() => telling.end(), /goes on otherwise/);
    assert.ok(telling.failed);
  });
});
