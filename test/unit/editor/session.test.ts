/** What the parts of the editor share, on an engine that the test scripts. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import type { CompletionRequest } from '../../../src/engine/protocol';
import { buildParts, type BuiltParts } from './build';

const turn = () => new Promise((done) => setImmediate(done));

describe('a session', () => {
  let built: BuiltParts;
  let disposed: { dispose(): void } | undefined;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());
  afterEach(() => disposed?.dispose());

  function begin(model = 'one') {
    const { engine, Session, vscode } = built.parts;
    vscode.open('');
    vscode.configure('dynamo.model', model);
    engine.engines.length = 0;
    engine.script.select = (id) => Promise.resolve(engine.choice(id));
    const nothing = () => undefined;
    const log = { debug: nothing, error: nothing, info: nothing, warn: nothing };
    const session = new Session(resolve('.'), log as never);
    disposed = session;
    const complete = async () => (await session.complete({} as CompletionRequest)).text;
    return { engine, vscode, session, complete };
  }

  /** Chooses models only when the test lets it. */
  function held({ engine }: ReturnType<typeof begin>) {
    const waiting = new Map<string, () => void>();
    engine.script.select = (id) =>
      new Promise((choose) => waiting.set(id, () => choose(engine.choice(id))));
    return async (id: string) => {
      for (let turns = 0; turns < 100 && !waiting.has(id); turns += 1) await turn();
      waiting.get(id)?.();
      await turn();
    };
  }

  const alive = ({ engine }: ReturnType<typeof begin>) =>
    engine.engines.filter((each) => !each.disposed).map((each) => each.model);

  it('answers with the model that was chosen while another one was being started', async () => {
    const parts = begin();
    const choose = held(parts);
    const answer = parts.complete();
    await turn();
    parts.vscode.configure('dynamo.model', 'two');
    await choose('one');
    await choose('two');
    assert.equal(await answer, 'by two');
    assert.deepEqual(alive(parts), ['two']);
    assert.equal(parts.session.model?.id, 'two');
  });

  it('is not taken over by a start that comes too late', async () => {
    const parts = begin();
    const choose = held(parts);
    const first = parts.complete();
    await turn();
    parts.vscode.configure('dynamo.model', 'two');
    const second = parts.complete();
    await choose('two');
    assert.equal(await second, 'by two');
    await choose('one');
    assert.equal(await first, 'by two');
    assert.deepEqual(alive(parts), ['two']);
  });

  it('is not said to miss a model that is no longer asked for', async () => {
    const parts = begin();
    let missing: () => void = () => undefined;
    parts.engine.script.select = (id) =>
      id === 'one'
        ? new Promise((choose) => (missing = () => choose(undefined)))
        : Promise.resolve(parts.engine.choice(id));
    const first = parts.complete();
    for (let turns = 0; turns < 10; turns += 1) await turn();
    parts.vscode.configure('dynamo.model', 'two');
    missing();
    assert.equal(await first, 'by two');
    assert.equal(parts.session.state.kind, 'ready');
  });

  it('starts no engine when it ends meanwhile', async () => {
    const parts = begin();
    const choose = held(parts);
    const answer = assert.rejects(parts.complete(), /shut down/);
    await turn();
    parts.session.dispose();
    await choose('one');
    await answer;
    assert.deepEqual(parts.engine.engines, []);
  });

  describe('while another model is being installed', () => {
    it('answers with the one that runs, and shows the installation', async () => {
      const parts = begin();
      const { session, engine, complete } = parts;
      await complete();
      const shown: string[] = [];
      session.onDidChangeState(({ kind }) => shown.push(kind));
      session.installing('two');
      assert.equal(await complete(), 'by one');
      engine.engines[0]?.says('busy');
      engine.engines[0]?.says('idle');
      assert.equal(session.state.kind, 'installing');
      assert.deepEqual(shown, ['installing']);
      session.installed();
      await turn();
      assert.notEqual(session.state.kind, 'installing');
    });

    it('answers nothing where no engine runs', async () => {
      const { session, engine, complete } = begin();
      session.installing('one');
      await assert.rejects(complete(), /being installed/);
      assert.deepEqual(engine.engines, []);
      session.installed();
      assert.equal(await complete(), 'by one');
    });

    it('goes on after the installation has failed', async () => {
      const { session, engine, complete } = begin();
      await complete();
      session.installing('two');
      session.installationFailed('The disk is full.');
      assert.equal(session.state.kind, 'ready');
      assert.equal(session.errors.at(-1)?.message, 'The disk is full.');
      assert.equal(await complete(), 'by one');
      assert.equal(engine.engines.length, 1);
    });

    it('says so when the installation has failed and no engine runs', () => {
      const { session } = begin();
      session.installing('one');
      session.installationFailed('The disk is full.');
      assert.deepEqual(session.state, { kind: 'failed', message: 'The disk is full.' });
    });
  });
});
