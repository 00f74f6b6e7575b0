/**
 * From what a model writes to what goes into the document. An answer to an instruction: no fence behind
 * it, no white space around it, the place's indentation, the document's line breaks. It arrives in
 * pieces; what has been shown of it never changes.
 */
import { indentationOf, restoreNewlines } from './text';

export interface AnswerPlace {
  /**
   * `block`: the answer's code block is open, and a fence closes it; `text`: there is none;
   * `continuation`: what the document's own text goes on with, and all of it counts.
   */
  readonly kind: 'block' | 'text' | 'continuation';
  /** White space that every line but the first begins with. */
  readonly indent: string;
  readonly newline: '\n' | '\r\n';
}

export class Answer {
  #raw = '';
  #shown = '';

  constructor(private readonly place: AnswerPlace) {}

  /** Whether the model has closed its code block: nothing behind it belongs to the answer. */
  get closed(): boolean {
    return this.place.kind === 'block' && FENCE.test(normal(this.#raw));
  }

  /** Takes a piece in, and returns what can be written because of it; often ''. */
  push(piece: string): string {
    this.#raw += piece;
    return this.#grow(false);
  }

  /** The last of the text, once the model has ended. */
  end(): string {
    return this.#grow(true);
  }

  #grow(complete: boolean): string {
    const visible = visibleAnswer(this.#raw, this.place, complete);
    const more = visible.slice(this.#shown.length);
    this.#shown = visible.length > this.#shown.length ? visible : this.#shown;
    return more;
  }
}

const FENCE = /(?:^|\n)[ \t]*```/;
/** Space at the end, or what may become a fence: nobody knows yet whether it will be shown. */
const UNDECIDED = { block: /(?:\s*(?:^|\n)[ \t]*`{1,2}|\s+)$/, text: /\s+$/ };

export function visibleAnswer(raw: string, place: AnswerPlace, complete: boolean): string {
  const { kind, newline } = place;
  if (kind === 'continuation') {
    // Half a line break may be all that there is by now.
    return restoreNewlines(normal(complete ? raw : raw.replace(/\r$/, '')), newline);
  }
  let text = normal(raw).replace(/^\n+/, '');
  const fence = kind === 'block' ? FENCE.exec(text) : null;
  if (fence) text = text.slice(0, fence.index).trimEnd();
  else text = complete ? text.trimEnd() : text.replace(UNDECIDED[kind], '');
  const lines = text.split('\n');
  return lines
    .map((line, index) => (index === 0 || line === '' ? line : place.indent + line))
    .join(newline);
}

/** `text` without the indentation that all its lines share, and that indentation. */
export function unindented(text: string): { readonly text: string; readonly indent: string } {
  const lines = normal(text).split('\n');
  const indents = lines.filter((line) => /\S/.test(line)).map(indentationOf);
  let indent = indents[0] ?? '';
  for (const other of indents) {
    while (!other.startsWith(indent)) indent = indent.slice(0, -1);
  }
  return { text: lines.map((line) => line.replace(indent, '')).join('\n'), indent };
}

const normal = (text: string): string => text.replace(/\r\n?/g, '\n');
