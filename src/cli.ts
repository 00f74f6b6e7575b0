/**
 * `dynamo`: the engine from a terminal. The contract that scripts rely on is in cli/usage.ts; each
 * subcommand has a file in cli/.
 */
import { bench } from './cli/bench';
import { complete } from './cli/complete';
import { generate } from './cli/generate';
import { gpu } from './cli/gpu';
import { models } from './cli/models';
import { oneLine } from './cli/terminal';
import { USAGE, UsageError } from './cli/usage';
import { messageOf } from './models/errors';

const COMMANDS = new Map<string, (args: readonly string[]) => Promise<void>>([
  ['complete', complete],
  ['generate', generate],
  ['models', models],
  ['gpu', gpu],
  ['bench', bench],
]);

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const command = COMMANDS.get(name);
  if (command ? asksForHelp(args) : ['--help', '-h', 'help'].includes(name)) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    if (!command) throw new UsageError(`There is no command "${name}".`);
    await command(args);
    return 0;
  } catch (error) {
    const message = oneLine(messageOf(error));
    if (!(error instanceof UsageError)) {
      process.stderr.write(`${message}\n`);
      return 1;
    }
    process.stderr.write(`${message} Run "dynamo --help" for the commands.\n`);
    return 2;
  }
}

/** Behind "--" everything is text. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const options = end < 0 ? args : args.slice(0, end);
  return options.some((each) => each === '--help' || each === '-h');
}

// A reader that closes early (head, say) is no failure of ours; a full disk is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`The output failed: ${error.message}.\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
process.stderr.on('error', () => undefined); // There is nobody left to tell.

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
