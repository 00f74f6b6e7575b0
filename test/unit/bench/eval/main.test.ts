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
    [['--run', 'smollm2-135m.quality'], /shows no run "smollm2-135m.quality"/],
    [['--model', 'smollm2-135m', '--run', 'qwen2.5-coder-0.5b.judge'], /shows no run/],
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

  it('runs what --run names alone', async () => {
    const said: string[] = [];
    const { log } = console;
    console.log = (text: string) => said.push(text);
    try {
      await main(['--list', '--run', 'smollm2-135m.drafts.line'], process.cwd(), assert.fail);
    } finally {
      console.log = log;
    }
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^smollm2-135m\.drafts\.line · \d+ tasks/);
  });

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
