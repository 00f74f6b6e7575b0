import assert from 'node:assert/strict';
import { engineChoice, engineFlags, parse } from '../../../src/cli/options';
import { UsageError } from '../../../src/cli/usage';

const choose = (...args: string[]) => engineChoice(parse(args, engineFlags).values);

const refuses = (args: readonly string[], message: RegExp) => {
  assert.throws(
    () => choose(...args),
    (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      assert.match(error.message, /^[^\n]+\.$/, 'one sentence');
      return true;
    },
  );
};

describe('the options of the command line', () => {
  it('have defaults', () => {
    assert.deepEqual(choose(), {
      model: undefined,
      precision: undefined,
      mode: 'exact',
      epsilon: undefined,
      heads: undefined,
      temperature: undefined,
      seed: undefined,
      maxTokens: undefined,
      threads: undefined,
      provider: 'auto',
      device: undefined,
      json: false,
    });
  });

  it('are taken as given', () => {
    assert.deepEqual(
      choose(
        ...['--model', 'm', '--precision=fp32', '--mode', 'fast', '--epsilon', '0'],
        ...['--heads', 'none', '--temperature=0.7', '--seed', '5'],
        ...['--max-tokens', '1', '--threads=2', '--provider=cuda', '--device', '1', '--json'],
      ),
      {
        model: 'm',
        precision: 'fp32',
        mode: 'fast',
        epsilon: 0,
        heads: 'none',
        temperature: 0.7,
        seed: 5,
        maxTokens: 1,
        threads: 2,
        provider: 'cuda',
        device: 1,
        json: true,
      },
    );
  });

  it('name what they take', () => {
    refuses(['--mode', 'greedy'], /--mode takes ar, exact, fast/);
    refuses(['--mode', ''], /--mode takes/);
    refuses(['--precision', 'int4'], /--precision takes int8, fp32, fp16\./);
    refuses(['--provider', 'gpu'], /--provider takes auto, cpu, cuda, dml/);
    refuses(['--device=-1'], /--device takes a number from 0 to 63/);
    for (const value of ['-0.1', '1.01', 'NaN', 'Infinity', 'half', '', ' ']) {
      refuses([`--epsilon=${value}`], /--epsilon takes a number from 0 to 1/);
    }
    for (const value of ['0', '-1', '32769', '1e9', 'x', '']) {
      refuses([`--max-tokens=${value}`], /--max-tokens takes a number from 1 to 32768/);
    }
    refuses(['--max-tokens=1.5'], /--max-tokens takes a whole number/);
    refuses(['--threads=0'], /--threads takes a number from 1 to 256/);
  });

  it('must exist and be complete', () => {
    refuses(['--jsno'], /--jsno/);
    refuses(['-x'], /-x/);
    refuses(['--model'], /--model/);
    refuses(['--json=yes'], /--json/);
  });

  it('end at "--"', () => {
    assert.deepEqual(parse(['--', '--json', '-'], engineFlags).positionals, ['--json', '-']);
    assert.deepEqual(parse(['-'], engineFlags).positionals, ['-']);
  });
});
