/**
 * What a model is told when the user gives an instruction: plain words, little of them, for small
 * models follow short orders best.
 */
import { isProse } from './text';
import type { CursorContext } from './types';

export interface Instruction {
  /** The user's turn. */
  readonly prompt: string;
  /** How the model's turn begins. */
  readonly begun: string;
}

/** Characters of the document around the place that the model is shown. */
const BEFORE = 2400;
const AFTER = 600;

/** To write something new at the cursor. */
export function generateInstruction(instruction: string, context: CursorContext): Instruction {
  const before = context.prefix
    .slice(-BEFORE)
    .replace(/^[^\n]*\n/, (line) => (context.prefix.length > BEFORE ? '' : line));
  const name = nameOf(context.language);
  if (isProse(context.language)) {
    const about = before.trim() === '' ? '' : `The text so far:\n\n${before.trimEnd()}\n\n`;
    return { prompt: `${about}${instruction}\nAnswer with the text alone.`, begun: '' };
  }
  const file =
    before.trim() === ''
      ? ''
      : `This is the ${name} code so far:\n\`\`\`\n${before.trimEnd()}\n\`\`\`\n`;
  return {
    prompt: `${file}Write ${name} code that comes next: ${instruction}\nAnswer with the new code alone.`,
    begun: `\`\`\`${context.language}\n`,
  };
}

/** To rewrite `selection`, which has no indentation of its own. */
export function rewriteInstruction(
  instruction: string,
  selection: string,
  context: CursorContext,
): Instruction {
  const before = context.prefix.slice(-AFTER).trim();
  const name = nameOf(context.language);
  if (isProse(context.language)) {
    return {
      prompt: `Rewrite this text: ${instruction}\n\n${selection}\n\nAnswer with the new text alone.`,
      begun: '',
    };
  }
  const above = before === '' ? '' : `Above it stands:\n\`\`\`\n${before}\n\`\`\`\n`;
  return {
    prompt:
      `${above}Rewrite this ${name} code: ${instruction}\n` +
      `\`\`\`${context.language}\n${selection}\n\`\`\`\nAnswer with the new code alone.`,
    begun: `\`\`\`${context.language}\n`,
  };
}

const NAMES: Readonly<Record<string, string>> = {
  cpp: 'C++',
  csharp: 'C#',
  javascript: 'JavaScript',
  javascriptreact: 'JavaScript (JSX)',
  python: 'Python',
  shellscript: 'shell',
  typescript: 'TypeScript',
  typescriptreact: 'TypeScript (TSX)',
};

const nameOf = (language: string): string => NAMES[language] ?? language;
