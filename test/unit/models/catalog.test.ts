import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findModel, readCatalog } from '../../../src/models/catalog';
import { ModelError } from '../../../src/models/errors';
import real from '../../../models/catalog.json';

describe('catalog', () => {
  let suite: string;
  before(async () => (suite = await mkdtemp(join(tmpdir(), 'dynamo-catalog-'))));
  after(() => rm(suite, { recursive: true }));

  async function read(content: unknown) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(suite, 'catalog.json'), text);
    return await readCatalog(suite);
  }
  /** The real catalogue with changes to its first model. */
  function changed(model: object, source: object = {}) {
    const [first, ...others] = real.models;
    const changedFirst = { ...first, ...model, source: { ...first?.source, ...source } };
    return { ...real, models: [changedFirst, ...others] };
  }

  it('of this project is valid and pins every source', async () => {
    const catalog = await read(real);
    const facts = catalog.models.map(({ id, source }) => [id, source.bytes, source.wheels.length]);
    assert.deepEqual(facts, [
      ['smollm2-135m', 98_362_432, 1],
      ['qwen2.5-coder-0.5b', 491_400_064, 6],
      ['qwen2.5-coder-1.5b', 1_117_320_768, 22],
    ]);
    assert.equal(findModel(catalog, catalog.default).prompt.fim?.order, 'suffix-first');
    // The URLs name a commit, so that what they serve cannot change.
    for (const { source } of catalog.models) {
      assert.match(source.url, new RegExp(`/resolve/[0-9a-f]{40}/${source.file}$`));
    }
  });

  it('names the known models when one is unknown', async () => {
    const catalog = await read(real);
    assert.throws(() => findModel(catalog, 'nope'), /no model called "nope".*smollm2-135m, qwen/);
  });

  it('refuses what could leave its folder, reach a shell or an unsafe place', async () => {
    const bad = [
      changed({ id: '../evil' }),
      changed({ id: 'a..b' }),
      changed({ unknown: 1 }),
      changed({}, { file: '../x.gguf' }),
      changed({}, { url: 'http://example.org/x' }),
      changed({}, { url: 'file:///etc/passwd' }),
      changed({}, { sha256: 'abc' }),
      changed({}, { bytes: -1 }),
      changed({}, { wheels: [{ package: '--index-url', version: '1', member: 'x' }] }),
      changed({}, { wheels: [{ package: 'a', version: '1 --pre', member: 'x' }] }),
      changed({}, { wheels: [{ package: 'a', version: '1', member: '/etc/passwd' }] }),
      { ...real, default: 'nope' },
      { ...real, models: [...real.models, ...real.models] },
      { ...real, version: 2 },
      'not json',
    ];
    for (const content of bad) {
      await assert.rejects(read(content), ModelError, JSON.stringify(content).slice(0, 200));
    }
  });

  it('says where it looked when there is none', async () => {
    await assert.rejects(readCatalog(join(suite, 'nowhere')), /catalogue .*nowhere.* cannot be read/);
  });
});
