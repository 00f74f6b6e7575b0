/**
 * The prompts of whole completions, by about how many tokens they have; both sides get the same ids.
 *
 * - 128: places of HumanEval single-line infilling, one line asked for;
 * - 1,024: places of the held-out files, several lines asked for;
 * - 4,096: the held-out files one behind the other up to such a place, continued without what follows,
 *   for no prompt of the product's own is so long.
 */
import type { PromptFormat, TextTokenizer } from '../../src/completion/types';
import { cursorPrompt } from '../../src/engine/completer';
import { continuationPrompt } from '../../src/engine/prompt-text';
import { shuffled } from '../infilling/tasks';
import { tasksOf, type StepTask } from '../steps/tasks';

export const MAX_TOKENS = 64;
const LONGEST = 4096;
/** Rows that both sides' contexts have, our drafts' included. */
export const CONTEXT_LENGTH = LONGEST + MAX_TOKENS;

/** Groups, the prompts that belong to each, and how many of them are asked. */
export const GROUPS = [
  { context: 128, from: 96, to: 192, count: 32 },
  { context: 1024, from: 768, to: 1300, count: 12 },
  { context: LONGEST, from: LONGEST, to: LONGEST, count: 3 },
] as const;
export const QUICK_GROUPS = [{ ...GROUPS[0], count: 4 }] as const;
type Group = (typeof GROUPS)[number] | (typeof QUICK_GROUPS)[number];

type PlaceTask = Extract<StepTask, { prompt?: undefined }>;

export interface CompletionTask {
  readonly id: string;
  readonly context: number;
  /** Ids of the prompt; the engine makes the same ones of `place`. */
  readonly prompt: readonly number[];
  /** Ends at the end of its first line that has text. */
  readonly line: boolean;
  /** A place in a document, or a text to continue. */
  readonly place: Pick<PlaceTask, 'prefix' | 'suffix' | 'language'> | string;
}

export async function completionTasks(
  groups: readonly Group[],
  root: string,
  { format, tokenizer }: { readonly format: PromptFormat; readonly tokenizer: TextTokenizer },
): Promise<CompletionTask[]> {
  const [lines, heldOut] = await Promise.all([placesOf('line', root), placesOf('held-out', root)]);
  const made: CompletionTask[] = [];
  for (const { context, from, to, count } of groups) {
    const fitting: CompletionTask[] = [];
    for (const task of context === 128 ? lines : heldOut) {
      if (fitting.length === count) break;
      const { id, prefix, suffix, language } = task;
      const place = context === LONGEST ? textUpTo(task, heldOut) : { prefix, suffix, language };
      const prompt = promptOf(place, format, tokenizer);
      if (prompt.length < from || prompt.length > to) continue;
      fitting.push({ id, context, prompt, place, line: !task.multiline });
    }
    made.push(...fitting);
  }
  return made;
}

async function placesOf(kind: 'line' | 'held-out', root: string): Promise<PlaceTask[]> {
  const tasks = shuffled(await tasksOf(kind, root), 1);
  return tasks.flatMap((task) => (task.prompt === undefined ? [task] : []));
}

/** Empty where the place begins with text that the engine would take back. */
function promptOf(
  place: CompletionTask['place'],
  format: PromptFormat,
  tokenizer: TextTokenizer,
): readonly number[] {
  if (typeof place === 'string') return continuationPrompt(place, tokenizer, LONGEST);
  const limits = { contextLength: CONTEXT_LENGTH };
  const { tokens, healed } = cursorPrompt(
    { ...place, maxTokens: MAX_TOKENS },
    format,
    tokenizer,
    limits,
  );
  return healed === '' ? tokens : [];
}

/** Every other held-out file, and the task's own up to its place. */
function textUpTo(task: PlaceTask, all: readonly PlaceTask[]): string {
  const whole = new Map(
    all.map(({ id, prefix, expected, suffix }) => [fileOf(id), prefix + expected + suffix]),
  );
  whole.delete(fileOf(task.id));
  return [...[...whole.keys()].sort().map((file) => whole.get(file) ?? ''), task.prefix].join('\n');
}

const fileOf = (id: string): string => id.slice(0, id.lastIndexOf(':'));
