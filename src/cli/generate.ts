/** `dynamo generate`: open-ended text, streamed to standard output. */
import { text as readAll } from 'node:stream/consumers';
import { within } from '../engine/limit';
import { LIMITS } from '../engine/protocol';
import { CommandLineEngine } from './engine';
import { decodingOf, engineChoice, engineFlags, parse } from './options';
import { promptCost, speed } from './present';
import { printable } from './terminal';
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
  const session = new CommandLineEngine(choice);
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('Interrupted.')));
  const { stdout, stderr } = process;
  let begun = false;
  try {
    await within(session.load(choice.model, choice.heads), interrupt.signal);
    const result = await session.engine.generate(
      {
        prompt,
        chat: values.chat === true,
        maxTokens: choice.maxTokens ?? MAX_TOKENS,
        ...decodingOf(choice),
      },
      choice.json
        ? undefined
        : ({ text }) => {
            begun = true;
            stdout.write(stdout.isTTY ? printable(text) : text);
          },
      interrupt.signal,
    );
    if (choice.json) stdout.write(`${JSON.stringify(result)}\n`);
    else {
      stdout.write('\n');
      stderr.write(`${speed(result)}\n${promptCost(result)}\n`);
    }
  } catch (error) {
    if (begun) stdout.write('\n');
    throw interrupt.signal.aborted ? interrupt.signal.reason : error;
  } finally {
    await session.dispose();
  }
}
