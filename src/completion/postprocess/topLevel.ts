/**
 * Outside of every block there is no dedent to end a completion, and a model goes on with one
 * function after the other. Ends it at the first blank line behind which a line begins at column 0.
 */
import { indentation, isBlank, isProse } from '../text';
import { isClosingLine, linesOf, type Rule, type TextLine } from './job';

export const topLevel: Rule = (text, job) => {
  if (job.reference > 0 || isProse(job.context.language)) return text.length;
  const lines = linesOf(text, job);
  let last: TextLine | undefined;
  for (const [index, line] of lines.entries()) {
    if (isBlank(line.text)) continue;
    const separate = isBlank(lines[index - 1]?.text ?? '');
    if (last && separate && indentation(line.text) === 0 && !isClosingLine(line.text)) {
      return last.start + last.text.length;
    }
    last = line;
  }
  return text.length;
};
