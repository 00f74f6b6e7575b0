/**
 * The vocabulary of the completion room. Everything here is plain data: no editor, no engine.
 */

/** What the completion room needs of a tokenizer; the engine's one satisfies it. */
export interface TextTokenizer {
  /** Ids of plain text. Control-token look-alikes inside it stay text. */
  encode(text: string): number[];
  /** Exact bytes of one token (a token may hold part of a UTF-8 sequence). */
  bytes(id: number): Uint8Array;
  /** Id of a control token such as `<|fim_middle|>`, or undefined when the model has none. */
  control(name: string): number | undefined;
}

/** How a fill-in-the-middle prompt is laid out. See prompt.ts. */
export type FimOrder = 'suffix-first' | 'prefix-first';

/** What a model can be asked, from its catalogue entry. */
export interface PromptFormat {
  /** Names of the fill-in-the-middle control tokens; absent for models without them. */
  readonly fim?: {
    readonly prefix: string;
    readonly suffix: string;
    readonly middle: string;
    readonly order: FimOrder;
  };
  /** Control tokens that end a completion. */
  readonly stop: readonly string[];
}

/** The text around a cursor. */
export interface CursorContext {
  readonly prefix: string;
  readonly suffix: string;
  /** VS Code language identifier; `plaintext` and `markdown` are continued as prose. */
  readonly language: string;
  /** The document's line break; absent where only its text is known. */
  readonly newline?: '\n' | '\r\n';
}

/** A part of another file that the model may look at. */
export interface OtherFile {
  /** Path below the workspace, or a name. */
  readonly name: string;
  readonly text: string;
}
