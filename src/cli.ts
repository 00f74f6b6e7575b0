/**
 * `dynamo`: the engine from a terminal. The contract that scripts rely on is in cli/usage.ts; each
 * subcommand has a file in cli/.
 */
import { bench } from './cli/bench';
import { complete } from './cli/complete';
import { generate } from './cli/generate';
import { models } from './cli/models';
import { USAGE, UsageError } from './cli/usage';

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  complete,
  generate,
  models,
  bench,
};

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? process.stderr : process.stdout).write(USAGE);
    return name === undefined ? 2 : 0;
  }
  try {
    const command = COMMANDS[name];
    if (!command) throw new UsageError(`There is no command "${name}".`);
    await command(args);
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof UsageError)) {
      process.stderr.write(`${message}\n`);
      return 1;
    }
    process.stderr.write(`${message}\nRun "dynamo --help" for the commands.\n`);
    return 2;
  }
}

// A reader that closes early (head, say) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
