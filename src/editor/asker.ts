/**
 * What is being asked of the engine: one completion at a time. A completion that is under way is
 * not given up while the keys typed since agree with it; its first line is handed out before the
 * rest is there. Knows nothing of what is shown.
 */
import type * as vscode from 'vscode';
import { restOf, stepBoundaries, type Suggestion } from '../completion/suggestion';
import { newlineOf, normalizeNewlines, restoreNewlines } from '../completion/text';
import type { CursorContext } from '../completion/types';
import { allowsSeveralLines, lineMode } from '../completion/multiline';
import { firstLine, mayBecome, soFar } from '../completion/underway';
import type { CompletionRequest, CompletionResult } from '../engine/protocol';
import type { Session } from './session';

/** So many deadlines pass before the rest of a suggestion, or one of which there is nothing, is given up. */
const MOST_DEADLINES = 8;
/** How long nobody waits for a completion before it is given up: the next key asks by then, ms. */
const GRACE_MS = 250;

/** Told when the rest of what was handed out is being written, and when that is over. */
export type WritingListener = (writing: boolean) => void;

/** What came of waiting: a suggestion, none, or that the text has gone another way. */
export type Outcome = Suggestion | 'none' | 'other';

export interface Answered {
  readonly suggestion: Suggestion | undefined;
  readonly result: CompletionResult;
  /** From the request to the first line, or to the result where that came first, ms. */
  readonly latencyMs: number;
}

export class Asker implements vscode.Disposable {
  #current: Question | undefined;

  constructor(private readonly session: Session) {}

  dispose(): void {
    this.#current?.cancel();
  }

  get current(): Question | undefined {
    return this.#current;
  }

  /** The question under way, when its answer may be what `context` needs. */
  underway(context: CursorContext): Question | undefined {
    return this.#current?.mayAnswer(context) ? this.#current : undefined;
  }

  /** Asks; whatever is under way is given up for it. */
  ask(
    request: CompletionRequest,
    context: CursorContext,
    onWriting: WritingListener = () => undefined,
  ): Question {
    this.#current?.cancel();
    this.#current = new Question(this.session, request, context, onWriting);
    return this.#current;
  }
}

export class Question {
  readonly answer: Promise<Answered>;
  readonly #abort = new AbortController();
  readonly #steps: string[] = [];
  readonly #deadlines: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<() => void>();
  #answered: Answered | undefined;
  #failure: unknown;
  #over = false;
  #waiting = 0;
  #wanted = false;
  #handedOut: Suggestion | undefined;
  #grace: NodeJS.Timeout | undefined;
  /** What can be handed out before the rest: the first line, or what there was at a deadline. */
  #early: Suggestion | undefined;
  #earlyMs: number | undefined;

  constructor(
    session: Session,
    readonly request: CompletionRequest,
    readonly context: CursorContext,
    private readonly onWriting: WritingListener,
  ) {
    const { deadlineMs } = request;
    if (deadlineMs !== undefined) {
      this.#deadlines = setInterval(() => this.#deadline(), deadlineMs).unref();
    }
    this.answer = this.#run(session);
    this.answer
      .then(
        (answered) => (this.#answered = answered),
        (error: unknown) => (this.#failure = error),
      )
      .finally(() => {
        this.#over = true;
        clearTimeout(this.#grace);
        clearInterval(this.#deadlines);
        if (this.#handedOut) this.onWriting(false);
        this.#tell();
      });
  }

  /** The first line, or what there was at a deadline, once it was handed out before the rest. */
  get handedOut(): Suggestion | undefined {
    return this.#handedOut;
  }

  /** Whether anybody has waited for it. */
  get wanted(): boolean {
    return this.#wanted;
  }

  mayAnswer(context: CursorContext): boolean {
    if (this.#over || this.#abort.signal.aborted) return false;
    return mayBecome({ context: this.context, steps: this.#steps }, context);
  }

  cancel(): void {
    clearTimeout(this.#grace);
    this.#abort.abort();
  }

  /**
   * Waits for what there is to show at `context`: the place of the question, or one that was typed
   * to from there.
   *
   * @param patienceMs how long to wait for all of it: then what there is is enough, and with 0 the
   *   first line at once, or at a deadline what there is
   * @throws what the engine says
   */
  async until(
    context: CursorContext,
    token: vscode.CancellationToken,
    patienceMs: number,
  ): Promise<Outcome> {
    let early = patienceMs === 0;
    const patience = early
      ? undefined
      : setTimeout(() => {
          early = true;
          this.#deadline();
          this.#tell();
        }, patienceMs);
    const cancellation = token.onCancellationRequested(() => this.#tell());
    clearTimeout(this.#grace);
    this.#waiting += 1;
    this.#wanted = true;
    try {
      for (;;) {
        const outcome = this.#outcome(context, early);
        if (outcome !== undefined) return outcome;
        if (token.isCancellationRequested) return 'none';
        await new Promise<void>((resolve) => this.#listeners.add(resolve));
      }
    } finally {
      clearTimeout(patience);
      cancellation.dispose();
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#over && !this.#handedOut) {
        this.#grace = setTimeout(() => this.cancel(), GRACE_MS);
      }
    }
  }

  /** Undefined while it is not known. */
  #outcome(context: CursorContext, early: boolean): Outcome | undefined {
    if (this.#answered) {
      const { suggestion } = this.#answered;
      const rest = suggestion && restOf(suggestion, context);
      if (rest) return rest;
      const { prefix, suffix } = this.context;
      return context.prefix === prefix && context.suffix === suffix ? 'none' : 'other';
    }
    if (this.#over) throw this.#failure;
    if (!this.mayAnswer(context)) return 'other';
    const enough = early ? this.#early : undefined;
    const rest = enough && restOf(enough, context);
    if (rest && !this.#handedOut) {
      this.#handedOut = enough;
      this.onWriting(true);
    }
    return rest;
  }

  async #run(session: Session): Promise<Answered> {
    const { request, context } = this;
    const { deadlineMs } = request;
    const started = performance.now();
    const streamed = {
      ...request,
      stream: true,
      ...(deadlineMs !== undefined && { deadlineMs: MOST_DEADLINES * deadlineMs }),
    };
    const result = await session.complete(streamed, this.#abort.signal, ({ text }) => {
      this.#steps.push(text);
      this.#early ??= firstLine({ context, steps: this.#steps });
      if (this.#early) this.#earlyMs ??= performance.now() - started;
      this.#tell();
    });
    const latencyMs = this.#earlyMs ?? performance.now() - started;
    return { suggestion: this.#suggestion(result), result, latencyMs };
  }

  /** Who waits gets what there is by now; the rest joins it. */
  #deadline(): void {
    if (this.#handedOut) return;
    const { request, context } = this;
    const multiline = allowsSeveralLines(context, lineMode(request.multiline));
    this.#early = soFar({ context, steps: this.#steps }, multiline) ?? this.#early;
    this.#tell();
  }

  /** What was shown of it stays, even where the whole text would have been cut before that. */
  #suggestion(result: CompletionResult): Suggestion | undefined {
    const whole = suggestionOf(this.context, result);
    const line = this.#handedOut;
    if (!line || whole?.text.startsWith(line.text)) return whole;
    return { ...line, open: false };
  }

  #tell(): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

function suggestionOf(context: CursorContext, result: CompletionResult): Suggestion | undefined {
  const { replaceRight, steps, stopReason } = result;
  if (result.text === '') return undefined;
  // The engine knows the document's text alone.
  const text = restoreNewlines(normalizeNewlines(result.text), newlineOf(context));
  const boundaries = stepBoundaries(
    steps.map((step) => step.text),
    text,
    context,
  );
  return { context, text, replace: replaceRight, boundaries, open: stopReason === 'deadline' };
}
