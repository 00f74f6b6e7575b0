/**
 * Ends a completion where it leaves the cursor's block: in front of the first line indented below
 * the cursor's line. A line that only closes the block still belongs to it; nothing behind it does.
 */
import { indentation, isBlank } from '../text';
import { isClosingLine, linesOf, type Rule } from './job';

export const dedent: Rule = (text, job) => {
  for (const [index, line] of linesOf(text, job).entries()) {
    if (index === 0 || isBlank(line.text)) continue;
    if (indentation(line.text) >= job.reference) continue;
    const closing = isClosingLine(line.text);
    if (line.open && (closing || /^\s*\w*$/.test(line.text))) return text.length;
    return closing ? line.start + line.text.length : line.cut;
  }
  return text.length;
};
