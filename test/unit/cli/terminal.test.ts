import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fit, oneLine, printable, visible, width } from '../../../src/cli/terminal';

/** What a terminal might obey: control characters, and those that turn the direction of text. */
const HARMFUL = /[^\P{Cc}\n\t]|\p{Bidi_Control}/u;

describe('printable', () => {
  it('leaves text of any language as it is', () => {
    for (const text of ['', 'a\n\tb', 'naïve Ω 中文 שלום', '👩‍🚀 🏳️‍🌈 e\u0301', 'हिन्दी क्\u200dष']) {
      assert.equal(printable(text), text);
    }
  });

  it('names what could steer the terminal', () => {
    assert.equal(printable('\u001b[2J\u0007\u0000\u007f'), '␛[2J␇␀␡');
    assert.equal(printable('\u009b31m'), '<U+009B>31m');
    assert.equal(printable('a\u202eb\u2066c'), 'a<U+202E>b<U+2066>c');
    assert.equal(printable('\ud800\u2028'), '<U+D800><U+2028>');
  });

  it('keeps line breaks and shows carriage returns that could overwrite a line', () => {
    assert.equal(printable('one\r\ntwo\rthree\r'), 'one\ntwo␍three␍');
  });
});

describe('visible', () => {
  it('shows whitespace', () => {
    assert.equal(visible('if x:\r\n\ty \u00a0'), 'if·x:␍⏎→y·<U+00A0>');
  });

  it('shows characters that have no picture', () => {
    assert.equal(visible('\u001b[0m\u200b\ufeff\u202e'), '␛[0m<U+200B><U+FEFF><U+202E>');
  });
});

describe('any text', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 50 });

  it('comes out harmless, and in one line where it has to', () => {
    fc.assert(
      fc.property(anything, (text) => {
        assert.doesNotMatch(printable(text), HARMFUL);
        assert.doesNotMatch(visible(text), HARMFUL);
        assert.doesNotMatch(visible(text), /[\s\u2028\u2029]/);
        assert.doesNotMatch(oneLine(text), /[\n\u2028\u2029]/);
      }),
    );
  });

  it('is cut where it is too wide', () => {
    fc.assert(
      fc.property(anything.map(visible), fc.integer({ min: 1, max: 30 }), (text, cells) => {
        assert.ok(width(fit(text, cells)) <= cells);
        if (width(text) <= cells) assert.equal(fit(text, cells), text);
        else assert.match(fit(text, cells), /…$/);
      }),
    );
  });
});

describe('width', () => {
  it('is that of a terminal', () => {
    for (const [text, cells] of [
      ['', 0],
      ['abc ~', 5],
      ['é', 1],
      ['e\u0301', 1],
      ['中文', 4],
      ['ｆｕｌｌ', 8],
      ['한국', 4],
      ['かな', 4],
      ['😀', 2],
      ['👩‍🚀', 2],
      ['🇩🇪', 2],
      ['⏎→·␛', 4],
    ] as const) {
      assert.equal(width(text), cells, text);
    }
  });
});

describe('oneLine', () => {
  it('joins lines and names control characters', () => {
    assert.equal(oneLine(' a\n  b\u001b[31m\n'), 'a b␛[31m');
  });
});
