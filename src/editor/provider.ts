/**
 * Inline completions: asks the engine when it is worth asking, shows what is known already without
 * asking, and works out what follows while something is shown. Decides nothing about text itself;
 * that is completion/'s.
 */
import * as vscode from 'vscode';
import { replacement } from '../completion/display';
import { refusal, withSelectedItem, type AskSituation } from '../completion/eligibility';
import { accepted, stepBoundaries, type Suggestion } from '../completion/suggestion';
import { Suggestions } from '../completion/suggestions';
import type { CursorContext } from '../completion/types';
import type { CompletionRequest, CompletionResult } from '../engine/protocol';
import { around, contextAt, isWritableScheme } from './document';
import type { OtherFiles } from './other-files';
import type { Pause } from './pause';
import { codeOf, Unavailable, type Session } from './session';
import { completionSettings, isEnabled } from './settings';

/** Sampling of a second suggestion, when the user asks for one. */
const SECOND = { temperature: 0.8, seeds: [1, 2] } as const;
/** A user who asked waits longer than one who types. */
const EXPLICIT_DEADLINE_MS = 5_000;

/** So many deadlines pass before a suggestion is given up of which there is nothing yet. */
const MOST_DEADLINES = 8;

interface Place {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
}

/** What was handed to VS Code last. */
interface Shown extends Place {
  readonly version: number;
  readonly suggestions: readonly Suggestion[];
}

export class CompletionProvider implements vscode.InlineCompletionItemProvider, vscode.Disposable {
  readonly #documents = new Map<string, Suggestions>();
  readonly #changes = new Map<string, 'insertion' | 'deletion'>();
  readonly #disposables: vscode.Disposable[];
  /** The context that look-ahead works on. */
  #ahead: CursorContext | undefined;
  /** Whether the next explicit trigger is the extension's own. */
  #ownTrigger = false;
  #shown: Shown | undefined;

  constructor(
    private readonly session: Session,
    private readonly pause: Pause,
    private readonly otherFiles: OtherFiles,
  ) {
    this.#disposables = [
      vscode.workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        this.#documents.delete(uri.toString());
        this.#changes.delete(uri.toString());
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('dynamo')) this.forget();
      }),
    ];
  }

  dispose(): void {
    this.forget();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  /** Drops all that was suggested, for the settings that it was made with are no longer true. */
  forget(): void {
    for (const suggestions of this.#documents.values()) suggestions.clear();
    this.#shown = undefined;
  }

  /** Suggestions still fitting at a place, as they were shown; the first is on top. */
  shownAt({ document, position }: Place): readonly Suggestion[] {
    const shown = this.#shown;
    if (shown?.document !== document) return [];
    const context = contextAt(document, position);
    const rest = this.#suggestions(document).at(context);
    if (shown.version === document.version && shown.position.isEqual(position)) {
      return shown.suggestions;
    }
    return rest ? [rest] : [];
  }

  /** Asks VS Code to ask again, as if the user had typed. */
  async refresh(): Promise<void> {
    this.#ownTrigger = true;
    await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    this.#ownTrigger = false;
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    { triggerKind, selectedCompletionInfo }: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[] | undefined> {
    const own = this.#ownTrigger;
    this.#ownTrigger = false;
    const explicit = triggerKind === vscode.InlineCompletionTriggerKind.Invoke && !own;
    if (!explicit && this.pause.active) return undefined;
    const plain = contextAt(document, position);
    const change = this.#takeChange(document);
    const situation = this.#situation(document, plain, explicit);
    if (refusal(situation)) return undefined;
    const fixed = selectedCompletionInfo && {
      text: selectedCompletionInfo.text,
      typed: document.getText(selectedCompletionInfo.range),
    };
    const context = fixed ? withSelectedItem(plain, fixed) : plain;
    if (!context) return undefined;

    const place = { document, position };
    const show = (suggestions: readonly Suggestion[]): vscode.InlineCompletionItem[] => {
      this.#shown = fixed
        ? undefined
        : { document, position, version: document.version, suggestions };
      if (suggestions[0]) this.#lookAhead(place, suggestions[0]);
      return suggestions.map((suggestion) => {
        const { left, right, text } = replacement(suggestion, fixed);
        return new vscode.InlineCompletionItem(text, around(position, left, right));
      });
    };

    const suggestions = this.#suggestions(document);
    const known = suggestions.at(context);
    if (known && !explicit) return show([known]);
    if (this.session.generating) return undefined;
    if (!explicit && refusal({ ...situation, ...(change && { change }) })) return undefined;

    const abort = new AbortController();
    const cancellation = token.onCancellationRequested(() => abort.abort());
    try {
      const first = known ?? (await this.#ask(place, context, explicit, abort.signal));
      if (!first || token.isCancellationRequested) return undefined;
      suggestions.add(first);
      if (!explicit) return show([first]);
      const second = await this.#second(place, first, abort.signal);
      return show(second ? [first, second] : [first]);
    } catch (error) {
      this.#complain(error, explicit);
      return undefined;
    } finally {
      cancellation.dispose();
    }
  }

  async #ask(
    place: Place,
    context: CursorContext,
    explicit: boolean,
    signal: AbortSignal,
    sampling?: { readonly temperature: number; readonly seed: number },
  ): Promise<Suggestion | undefined> {
    const request = this.#request(place, context, explicit);
    const started = performance.now();
    let result = await this.session.complete({ ...request, ...sampling }, signal);
    // Time that was spent on reading a long prompt is not lost: the cache has what was read.
    for (let more = 1; more < MOST_DEADLINES && nothingYet(result); more += 1) {
      result = await this.session.complete({ ...request, ...sampling }, signal);
    }
    const latencyMs = performance.now() - started;
    this.session.log.debug(
      `completion: ${Math.round(latencyMs)} ms (prefill ${Math.round(result.prefillMs)}), ` +
        `${result.promptTokens} prompt tokens, ${result.reusedTokens} reused, ` +
        `${result.tokens} tokens in ${result.steps.length} steps, ended by ${result.stopReason}`,
    );
    this.session.record({
      request,
      result,
      document: place.document.uri,
      position: place.position,
      latencyMs,
    });
    return suggestionOf(context, result);
  }

  #request({ document }: Place, context: CursorContext, explicit: boolean): CompletionRequest {
    const { mode, epsilon, fast, lookup, lines, maxTokens, deadlineMs, otherFiles } =
      completionSettings(document);
    const files = otherFiles ? this.otherFiles.for(document) : [];
    return {
      ...context,
      multiline: lines === 'auto' ? 'auto' : lines === 'multiple',
      raw: false,
      mode,
      epsilon,
      fast,
      drafts: { lookup },
      ...(this.session.tracing && { trace: { candidates: 1 } }),
      maxTokens,
      deadlineMs: explicit ? EXPLICIT_DEADLINE_MS : deadlineMs,
      ...(files.length > 0 && { files }),
    };
  }

  /** Another suggestion at the same place, when the model has one. */
  async #second(
    place: Place,
    first: Suggestion,
    signal: AbortSignal,
  ): Promise<Suggestion | undefined> {
    for (const seed of SECOND.seeds) {
      const { temperature } = SECOND;
      const other = await this.#ask(place, first.context, true, signal, { temperature, seed });
      if (other && other.text !== first.text) return other;
    }
    return undefined;
  }

  /** Works out what follows once `suggestion` is accepted; the next real request interrupts it. */
  #lookAhead(place: Place, suggestion: Suggestion): void {
    if (!completionSettings(place.document).lookAhead || this.session.state.kind !== 'ready')
      return;
    const context = accepted(suggestion);
    const suggestions = this.#suggestions(place.document);
    const same = (other: CursorContext | undefined): boolean =>
      other?.prefix === context.prefix && other.suffix === context.suffix;
    if (same(this.#ahead) || suggestions.at(context)) return;
    if (refusal(this.#situation(place.document, context, false))) return;
    this.#ahead = context;
    const request = this.#request(place, context, false);
    this.session
      .complete(request)
      .then((result) => {
        const next = suggestionOf(context, result);
        if (next) suggestions.add(next);
      })
      .catch((error: unknown) => this.#complain(error, false))
      .finally(() => {
        if (this.#ahead === context) this.#ahead = undefined;
      });
  }

  #situation(
    document: vscode.TextDocument,
    context: CursorContext,
    explicit: boolean,
  ): AskSituation {
    const editor = vscode.window.activeTextEditor;
    const selections = editor?.document === document ? editor.selections : [];
    return {
      context,
      trigger: explicit ? 'explicit' : 'automatic',
      selectionEmpty: selections.every(({ isEmpty }) => isEmpty),
      cursors: Math.max(1, selections.length),
      writable: isWritableScheme(document.uri.scheme),
      languageEnabled: explicit || isEnabled(document),
    };
  }

  #suggestions(document: vscode.TextDocument): Suggestions {
    const key = document.uri.toString();
    let suggestions = this.#documents.get(key);
    if (!suggestions) this.#documents.set(key, (suggestions = new Suggestions()));
    return suggestions;
  }

  #changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    if (contentChanges.length === 0) return;
    const deletion = reason !== undefined || contentChanges.every(({ text }) => text === '');
    this.#changes.set(document.uri.toString(), deletion ? 'deletion' : 'insertion');
  }

  #takeChange(document: vscode.TextDocument): 'insertion' | 'deletion' | undefined {
    const key = document.uri.toString();
    const change = this.#changes.get(key);
    this.#changes.delete(key);
    return change;
  }

  /** Errors are the status item's and the log's to tell; typing goes on. */
  #complain(error: unknown, explicit: boolean): void {
    const quiet = ['cancelled', 'deadline', 'stopped', 'crashed', 'model', 'protocol'];
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Unavailable) {
      if (explicit) void vscode.window.showInformationMessage(`DynaMo: ${message}`);
    } else if (!quiet.includes(codeOf(error) ?? '') && !isAbort(error)) {
      this.session.log.error(message);
    }
  }
}

const nothingYet = ({ text, stopReason }: CompletionResult): boolean =>
  text === '' && stopReason === 'deadline';

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

function suggestionOf(context: CursorContext, result: CompletionResult): Suggestion | undefined {
  const { text, replaceRight, steps, stopReason } = result;
  if (text === '') return undefined;
  const boundaries = stepBoundaries(
    steps.map((step) => step.text),
    text,
    context,
  );
  return { context, text, replace: replaceRight, boundaries, open: stopReason === 'deadline' };
}
