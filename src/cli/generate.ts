/** `dynamo generate`: open-ended text, streamed to standard output. */
import { text as readAll } from 'node:stream/consumers';
import { LIMITS } from '../engine/protocol';
import { CommandLineEngine } from './engine';
import { engineChoice, engineFlags, parse } from './options';
import { speed } from './present';
import { UsageError } from './usage';

const MAX_TOKENS = 256;

export async function generate(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, { ...engineFlags, chat: { type: 'boolean' } });
  const choice = engineChoice(values);
  const [given] = positionals;
  if (given === undefined || positionals.length > 1) {
    throw new UsageError('generate takes one PROMPT, or "-" for standard input.');
  }
  const prompt = given === '-' ? await readAll(process.stdin) : given;
  if (prompt === '') throw new Error('The prompt is empty.');
  if (prompt.length > LIMITS.text) {
    throw new Error(
      `The prompt has ${prompt.length} characters; at most ${LIMITS.text} are taken.`,
    );
  }
  const session = new CommandLineEngine(choice.precision, choice.threads);
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('Interrupted.')));
  try {
    await session.load(choice.model);
    const result = await session.engine.generate(
      {
        prompt,
        chat: values.chat === true,
        maxTokens: choice.maxTokens ?? MAX_TOKENS,
        mode: choice.mode,
        epsilon: choice.epsilon,
      },
      choice.json ? undefined : (step) => process.stdout.write(step.text),
      interrupt.signal,
    );
    if (choice.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      process.stdout.write('\n');
      process.stderr.write(`${speed(result)}\n`);
    }
  } finally {
    await session.dispose();
  }
}
