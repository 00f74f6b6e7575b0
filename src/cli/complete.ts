/** `dynamo complete`: at a cursor, or a stream of tasks. */
import { z } from 'zod';
import {
  draftSources,
  fastOptions,
  type CompletionRequest,
  type CompletionResult,
} from '../engine/protocol';
import { messageOf } from '../models/errors';
import { parsePosition, readCursor } from './cursor';
import { CommandLineEngine } from './engine';
import { decodingOf, engineChoice, engineFlags, MODES, parse, type EngineChoice } from './options';
import { linesOf, TOO_LONG } from './lines';
import { details } from './present';
import { printable, screenOf } from './terminal';
import { UsageError } from './usage';

const MAX_TOKENS = 64;
const TRACE = { candidates: 10 };

/** Of one task: more than any document, but not all of the memory. */
const MOST_CHARACTERS = 64 * 2 ** 20;

export async function complete(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, {
    ...engineFlags,
    jsonl: { type: 'boolean' },
    details: { type: 'boolean' },
    trace: { type: 'boolean' },
  });
  const choice = engineChoice(values);
  if (values.trace && !choice.json) throw new UsageError('--trace needs --json.');
  if (values.jsonl) {
    if (positionals.length > 0) throw new UsageError('--jsonl takes no file.');
    await completeLines(choice);
    return;
  }
  const [target] = positionals;
  if (target === undefined || positionals.length > 1) {
    throw new UsageError('complete takes one FILE:LINE:COLUMN, or --jsonl.');
  }
  const context = await readCursor(parsePosition(target));
  const session = new CommandLineEngine(choice);
  try {
    const info = await session.load(choice.model, choice.heads);
    const result = await session.engine.complete({
      ...context,
      multiline: 'auto',
      raw: false,
      maxTokens: choice.maxTokens ?? MAX_TOKENS,
      ...decodingOf(choice),
      ...(values.trace && { trace: TRACE }),
    });
    if (choice.json) write(JSON.stringify(report(result)));
    else if (values.details)
      write(details(target, info, session.provider, result, screenOf(process.stdout)));
    else write(process.stdout.isTTY ? printable(result.text) : result.text);
  } finally {
    await session.dispose();
  }
}

const task = z.object({
  id: z.union([z.string(), z.number()], { error: 'must be a string or a number' }),
  prefix: z.string(),
  suffix: z.string().optional(),
  language: z.string().max(100).optional(),
  maxTokens: z.int().min(1).max(32_768).optional(),
  mode: z.enum(MODES).optional(),
  epsilon: z.number().min(0).max(1).exactOptional(),
  temperature: z.number().min(0).max(10).exactOptional(),
  seed: z.int().exactOptional(),
  fast: fastOptions.exactOptional(),
  drafts: draftSources.exactOptional(),
  trace: z.boolean().optional(),
  model: z.string().optional(),
  heads: z.string().optional(),
  raw: z.boolean().optional(),
  multiline: z.boolean().optional(),
  order: z.enum(['suffix-first', 'prefix-first']).optional(),
});

/** One result or one error for each line, in order; no line ends the run. */
async function completeLines(choice: EngineChoice): Promise<void> {
  const session = new CommandLineEngine(choice);
  try {
    process.stdin.setEncoding('utf8');
    for await (const line of linesOf(process.stdin, MOST_CHARACTERS)) {
      if (line === TOO_LONG) await writeLine({ id: null, error: 'The line is too long.' });
      else if (line.trim() !== '') await writeLine(await answerLine(line, choice, session));
    }
  } finally {
    await session.dispose();
  }
}

async function answerLine(
  line: string,
  choice: EngineChoice,
  session: CommandLineEngine,
): Promise<object> {
  let content: unknown;
  try {
    content = JSON.parse(line.trim()); // Also takes a byte order mark away.
  } catch {
    return { id: null, error: 'The line is not JSON.' };
  }
  const parsed = task.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') ?? '';
    return { id: idOf(content), error: `${field || 'The task'}: ${issue?.message ?? 'not valid'}` };
  }
  const { id, model, heads, order, ...given } = parsed.data;
  const { temperature = choice.temperature, seed = choice.seed, fast, drafts } = given;
  const { epsilon = choice.epsilon } = given;
  const request: CompletionRequest = {
    prefix: given.prefix,
    suffix: given.suffix ?? '',
    language: given.language ?? 'unknown',
    multiline: given.multiline ?? 'auto',
    raw: given.raw ?? false,
    maxTokens: given.maxTokens ?? choice.maxTokens ?? MAX_TOKENS,
    mode: given.mode ?? choice.mode,
    ...(epsilon !== undefined && { epsilon }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(fast && { fast }),
    ...(drafts && { drafts }),
    ...(given.trace && { trace: TRACE }),
    ...(order && { order }),
  };
  try {
    await session.load(model ?? choice.model, heads ?? choice.heads);
    return { id, ...report(await session.engine.complete(request)) };
  } catch (error) {
    return { id, error: messageOf(error) };
  }
}

/** The id of a task that is otherwise unusable, as far as it has one. */
function idOf(content: unknown): string | number | null {
  if (typeof content !== 'object' || content === null || !('id' in content)) return null;
  return typeof content.id === 'string' || typeof content.id === 'number' ? content.id : null;
}

/** A result as the command line's contract has it. */
function report(result: CompletionResult): object {
  const { text, tokens, steps, prefillMs, decodeMs, stopReason, model, mode } = result;
  const { promptTokens, reusedTokens, replaceRight } = result;
  const extra = { promptTokens, reusedTokens, replaceRight };
  return { text, tokens, steps, prefillMs, decodeMs, stopReason, model, mode, ...extra };
}

function write(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Waits for a slow reader instead of filling memory. */
function writeLine(value: object): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${JSON.stringify(value)}\n`, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
