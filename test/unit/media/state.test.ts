import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readToHost, readToPage, type ViewSettings } from '../../../media/thresholds/messages';
import {
  differences,
  freshState,
  settingsOf,
  told,
  withSettings,
} from '../../../media/thresholds/state';
import { inspection } from '../../fixtures/inspection';

const saved: ViewSettings = {
  mode: 'exact',
  epsilon: 0.5,
  useOtsu: true,
  useBlur: true,
  alpha: 0,
  topK: 50,
  temperature: 0.7,
  chains: 1,
  penalty: 1.1,
  lookup: true,
};
const host = (changes: Partial<ViewSettings> = {}) => ({
  type: 'state' as const,
  state: {
    engine: 'ready' as const,
    busy: false,
    message: '',
    model: 'm',
    saved: { ...saved, ...changes },
    defaults: saved,
  },
});

describe('messages of the threshold view', () => {
  it('are told from anything else, on both sides', () => {
    const seen = {
      type: 'inspection',
      where: 'a:1:1',
      place: 'cursor',
      inspection: inspection('m'),
    };
    assert.deepEqual(readToPage(seen), seen);
    assert.deepEqual(readToPage(host()), host());
    const apply = { type: 'apply', settings: saved };
    assert.deepEqual(readToHost(apply), apply);
    for (const hostile of [
      { type: 'apply', settings: { ...saved, epsilon: NaN } },
      { type: 'apply', settings: { ...saved, mode: 'rm -rf' } },
      { type: 'command', command: 'workbench.action.quit' },
      { type: 'inspect', place: { kind: 'step', origin: 'editor', step: -1 } },
      { type: 'inspect', place: { kind: 'step', step: 1 } },
      { type: 'inspect', place: { kind: 'prompt', prompt: 'x'.repeat(200_000) } },
      { ...apply, more: 1 },
    ]) {
      assert.equal(readToHost(hostile), undefined, JSON.stringify(hostile).slice(0, 60));
    }
  });

  it('never throw, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.jsonValue()), (value) => {
        assert.doesNotThrow(() => [readToPage(value), readToHost(value)]);
      }),
    );
  });
});

describe('the state of the threshold view', () => {
  it('forgets what is no state of its own', () => {
    for (const kept of [undefined, null, 7, 'x', { order: 9 }, []]) {
      assert.equal(freshState(kept).kept.order, 2);
    }
    const kept = { ...freshState(undefined).kept, order: 3, settings: saved };
    assert.deepEqual(freshState(JSON.parse(JSON.stringify(kept))).kept, kept);
  });

  it('shows the saved settings until the user moves a control, and again once they are saved', () => {
    let state = told(freshState(undefined), host());
    assert.deepEqual(settingsOf(state), saved);
    state = { ...state, kept: withSettings(state.kept, { ...saved, epsilon: 0.3 }) };
    assert.equal(settingsOf(state)?.epsilon, 0.3);
    state = told(state, host({ topK: 20 }));
    assert.equal(settingsOf(state)?.epsilon, 0.3, 'what is not applied stays');
    state = told(state, host({ epsilon: 0.3 }));
    assert.equal(state.kept.settings, undefined);
  });

  it('marks what differs from the saved settings', () => {
    assert.deepEqual(differences(saved, saved), []);
    assert.deepEqual(differences(saved, { ...saved, epsilon: 0, useBlur: false }), [
      'epsilon',
      'useBlur',
    ]);
  });

  it('knows whether the model card has a curve only once it was told', () => {
    const fresh = freshState(undefined);
    assert.equal(fresh.card, undefined);
    const none = { type: 'card', card: { status: 'none' } } as const;
    assert.deepEqual(readToPage(none), none);
    assert.deepEqual(told(fresh, none).card, { status: 'none' });
    const invented = { type: 'card', card: { status: 'measured', points: [{ epsilon: 2 }] } };
    assert.equal(readToPage(invented), undefined);
  });

  const completion = (origin: 'editor' | 'tried') => ({
    type: 'completion' as const,
    completion: {
      ...{ origin, where: 'a:1:1', mode: 'exact' as const, model: 'm', steps: [], text: '' },
      ...{ tokens: 0, promptTokens: 0, reusedTokens: 0, prefillMs: 0, decodeMs: 0 },
      ...{ stopReason: '', steppable: true },
    },
  });
  const look = (place: 'cursor' | 'step') => ({
    ...{ type: 'inspection' as const, where: 'a', place, inspection: inspection('m') },
  });

  it('forgets the chosen step with its completion', () => {
    const chosen = (origin: 'editor' | 'tried') => ({
      ...told(freshState(undefined), completion('editor')),
      active: { origin, step: 2 },
    });
    assert.equal(told(chosen('editor'), completion('editor')).active, undefined);
    assert.equal(told(chosen('tried'), completion('editor')).active, undefined);
    assert.equal(told(chosen('tried'), completion('tried')).active, undefined);
    assert.deepEqual(told(chosen('editor'), completion('tried')).active?.step, 2);
  });

  it('keeps the chosen step until another place is looked at', () => {
    const active = { origin: 'tried', step: 2 } as const;
    const state = { ...freshState(undefined), active };
    assert.equal(told(state, look('step')).active, active);
    assert.equal(told(state, look('cursor')).active, undefined);
  });

  it('tries nothing any more when another completion has come', () => {
    const state = { ...freshState(undefined), trying: true };
    assert.equal(told(state, completion('editor')).trying, false);
  });

  it('says why nothing was seen, and keeps showing what was', () => {
    const message = {
      type: 'inspection',
      where: 'a',
      place: 'cursor',
      inspection: inspection('m'),
    };
    const seen = told(freshState(undefined), message as Parameters<typeof told>[1]);
    const failed = told(told(seen, { type: 'looking' }), { type: 'notSeen', message: 'It died.' });
    assert.equal(failed.looking, false);
    assert.equal(failed.notSeen, 'It died.');
    assert.equal(failed.seen, seen.seen);
  });
});
