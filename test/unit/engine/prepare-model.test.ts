import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareModel } from '../../../src/engine/prepare-model';
import { Preparation } from '../../../src/editor/preparation';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import { SCRIPTED_MODEL } from '../../fixtures/scripted-model';

describe('preparing a model', function () {
  this.timeout(20_000);
  let worker: BuiltFixture;
  before(() => (worker = buildFixture('test/fixtures/scripted-worker.ts')));
  after(() => worker.remove());

  const prepare = (id: string, signal?: AbortSignal) =>
    prepareModel({ worker: worker.path }, { ...SCRIPTED_MODEL, id }, {}, signal);

  it('says whether it is done', async () => {
    assert.equal(await prepare('tiny'), true);
    assert.equal(await prepare('large'), false);
  });

  it('fails where the process does, and can be aborted', async () => {
    await assert.rejects(prepare('missing'), /not there/);
    await assert.rejects(prepare('deadly'), { code: 'crashed' });
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(prepare('tiny', signal), /enough/);
  });

  it('happens once in a window, later, and never throws', async () => {
    const lines: string[] = [];
    const log = {
      info: (line: string) => lines.push(line),
      warn: (line: string) => lines.push(line),
    };
    const preparation = new Preparation(worker.path, log as never, 1);
    for (const id of ['tiny', 'large', 'deadly']) {
      preparation.begin({ ...SCRIPTED_MODEL, id, graph: id });
      preparation.begin({ ...SCRIPTED_MODEL, id, graph: id });
    }
    while (lines.length < 3) await sleep(20);
    await sleep(100);
    assert.equal(lines.length, 3);
    const text = lines.sort().join('\n');
    assert.match(text, /deadly was not prepared for this processor: The engine/);
    assert.match(text, /large was not prepared for this processor: the disk has no room/);
    assert.match(text, /tiny was prepared for this processor in/);

    preparation.dispose();
    preparation.begin({ ...SCRIPTED_MODEL, graph: 'another' });
    await sleep(100);
    assert.equal(lines.length, 3);
  });
});
