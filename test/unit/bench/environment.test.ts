import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeEnvironment,
  environmentOf,
  machineOf,
  modelVersionOf,
  vectorExtensionsOf,
  type Environment,
} from '../../../bench/environment';
import { formatRecord } from '../../../src/models/record';

const cpuinfo = (flags: string, name = 'flags') =>
  `processor\t: 0\nmodel name\t: AMD EPYC\n${name}\t\t: ${flags}\nbogomips\t: 4890.86\n`;

const ENVIRONMENT: Environment = {
  ...{ processor: 'AMD EPYC', cores: 2, memoryGigabytes: 25, system: 'Linux', node: '20' },
  ...{ onnxruntime: '1', version: '0.1.0', commit: null },
};

describe('the vector extensions of a processor', () => {
  const all = 'avx2 avx512f avx512_vnni avx_vnni avx512_bf16 amx_int8';
  for (const [what, content, extensions] of [
    ['are those of its flags that kernels are chosen by', cpuinfo(`fpu sse2 avx ${all}`), all],
    ['are few without VNNI', cpuinfo('fpu avx avx2 sha_ni'), 'avx2'],
    ['may be none', cpuinfo('fpu sse2'), ''],
    ['have other names on Arm', cpuinfo('fp asimd asimddp i8mm', 'Features'), 'asimddp i8mm'],
    ['are unknown where nothing tells them', 'processor : 0\nhart : 1\n', undefined],
  ] as const) {
    it(what, () => assert.equal(vectorExtensionsOf(content)?.join(' '), extensions));
  }
});

describe('a machine', () => {
  const vnni = { ...ENVIRONMENT, vectorExtensions: ['avx2', 'avx512_vnni'] };
  const same = { ...vnni, commit: 'other', load: 2, begun: '2026-01-01', memoryGigabytes: 8 };

  it('is the same whatever the commit, the load and the hour', () =>
    assert.equal(machineOf(vnni), machineOf(same)));

  const others: readonly (readonly [string, Partial<Environment>])[] = [
    ['fewer vector extensions', { vectorExtensions: ['avx2'] }],
    ['no vector extensions', { vectorExtensions: [] }],
    ['another processor', { processor: 'another' }],
    ['more cores', { cores: 4 }],
    ['another runtime', { onnxruntime: '2' }],
  ];
  for (const [what, more] of others) {
    it(`is another one with ${what}`, () =>
      assert.notEqual(machineOf(vnni), machineOf({ ...vnni, ...more })));
  }

  it('is another one than that of a file that does not tell its extensions', () =>
    assert.notEqual(machineOf(vnni), machineOf(ENVIRONMENT)));

  it('is described with its extensions, so that two of one name are told apart', () => {
    assert.match(describeEnvironment(vnni), /^AMD EPYC \(avx2, avx512_vnni\), 2 cores/);
    assert.match(describeEnvironment(ENVIRONMENT), /^AMD EPYC, 2 cores/);
  });

  it('tells its extensions on Linux', function () {
    if (process.platform !== 'linux') this.skip();
    assert.ok(environmentOf(process.cwd()).vectorExtensions);
  });
});

describe('a version of a model', () => {
  const hash = (digit: string) => digit.repeat(64);
  const hashed = (file: string, digit: string) => ({ file, bytes: 1, sha256: hash(digit) });
  const set = (name: string, digit: string) => ({
    ...{ name, graph: '', weights: '' },
    description: { sha256: hash(digit) },
  });

  async function versionOf(more: object) {
    const directory = await mkdtemp(join(tmpdir(), 'dynamo-version-'));
    try {
      const record = formatRecord({
        ...{ version: 3, id: 'm', precision: 'int8', heads: [] },
        ...{ source: { bytes: 1, sha256: hash('1') }, plan: { bytes: 1, sha256: hash('2') } },
        ...{ graph: hashed('graph.onnx', '3'), weights: hashed('weights.bin', '4') },
        tokenizer: hashed('tokenizer.json', '5'),
      });
      await writeFile(join(directory, 'installed.json'), record);
      const heads = { state: 'ready', sets: [set('shared', '6'), set('chained', '7')] } as const;
      const installed = { id: 'm', precision: 'int8', directory, heads } as const;
      return await modelVersionOf(installed, more);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  it('is told by what its trunk is made of, its heads and the default rows', async () => {
    const trunk = [hash('1'), hash('2'), hash('3')].join(' ');
    const trunkSha256 = createHash('sha256').update(trunk).digest('hex');
    const made = { id: 'm', precision: 'int8', trunkSha256 };
    assert.deepEqual(await versionOf({}), made);
    const heads = { heads: { name: 'chained' } };
    const withHeads = { ...made, heads: 'chained', headsSha256: hash('7') };
    assert.deepEqual(await versionOf(heads), withHeads);
    assert.deepEqual(await versionOf({ ...heads, defaults: { rows: 3, epsilon: 0.8 } }), {
      ...withHeads,
      rows: 3,
    });
  });
});
