/** White space at the end of a completion is never worth showing. */
import type { Rule } from './job';

export const trimEnd: Rule = (text) => text.trimEnd().length;
