import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../../../../bench/eval/main';

describe('the command line of the evidence', () => {
  const errors: string[] = [];
  const write = process.stderr.write.bind(process.stderr);
  beforeEach(() => {
    errors.length = 0;
    process.stderr.write = (text: string | Uint8Array) => errors.push(String(text)) > 0;
  });
  afterEach(() => {
    process.stderr.write = write;
  });

  for (const [args, says] of [
    [['--quik'], /quik/],
    [['--part', 'speed'], /--part takes quality/],
    [['--model', 'none'], /no model "none"/],
    [['--threads', 'many'], /--threads takes a whole number/],
    [['--minutes', '0'], /--minutes takes/],
    [['--judge', 'http://127.0.0.1:9/v1'], /needs --judge-model/],
    [['--judgements', 'all'], /--judgements takes a whole number/],
    [['--gguf', 'a.gguf'], /--gguf takes ID=FILE/],
    [['--model', 'smollm2-135m', '--peer-gguf', 'other=a.gguf'], /other is not measured/],
  ] as const) {
    it(`refuses ${args.join(' ')} before it prepares anything`, async () => {
      const code = await main([...args], process.cwd(), () => assert.fail('prepared'));
      assert.equal(code, 2);
      assert.match(errors.join(''), says);
    });
  }

  it('prepares nothing to make a report', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dynamo-eval-'));
    try {
      const report = ['report', folder, '--out', join(folder, 'REPORT.md')];
      const code = await main(report, process.cwd(), () => assert.fail('prepared'));
      assert.equal(code, 0);
      assert.match(await readFile(join(folder, 'REPORT.md'), 'utf8'), /not measured/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
