/**
 * Inline completions: asks the engine when it is worth asking, shows what is known already without
 * asking, and works out what follows while something is shown. Decides nothing about text itself;
 * that is completion/'s.
 */
import * as vscode from 'vscode';
import { replacement } from '../completion/display';
import { refusal, withSelectedItem } from '../completion/eligibility';
import { accepted, restOf, type Suggestion } from '../completion/suggestion';
import { Suggestions } from '../completion/suggestions';
import type { CursorContext } from '../completion/types';
import type { CompletionRequest } from '../engine/protocol';
import { messageOf } from '../models/errors';
import { Asker, type Question } from './asker';
import { around, contextAt } from './document';
import type { OtherFiles } from './other-files';
import type { Pause } from './pause';
import { EXPLICIT_DEADLINE_MS, requestAt, situationAt, type Place } from './place';
import { codeOf, Unavailable, type Session } from './session';
import { completionSettings } from './settings';

/** Sampling of a second suggestion, when the user asks for one. */
const SECOND = { temperature: 0.8, seeds: [1, 2] } as const;
/** How long a user who asked waits: for all of the first suggestion, and then for a second one, ms. */
const PATIENCE = { firstMs: EXPLICIT_DEADLINE_MS, secondMs: 3_000 };
/** What was handed to VS Code last. */
interface Shown extends Place {
  readonly version: number;
  /** Whether a command made VS Code ask. */
  readonly triggered: boolean;
  readonly suggestions: readonly Suggestion[];
}

export class CompletionProvider implements vscode.InlineCompletionItemProvider, vscode.Disposable {
  readonly #documents = new Map<string, Suggestions>();
  readonly #changes = new Map<string, 'insertion' | 'deletion'>();
  readonly #disposables: vscode.Disposable[];
  readonly #asker: Asker;
  /** The question whose first line the user has sent away. */
  #hidden: Question | undefined;
  /** Whether the next explicit trigger is the extension's own. */
  #ownTrigger = false;
  #shown: Shown | undefined;
  #asked = false;

  constructor(
    private readonly session: Session,
    private readonly pause: Pause,
    private readonly otherFiles: OtherFiles,
    private readonly patience = PATIENCE,
  ) {
    this.#asker = new Asker(session);
    this.#disposables = [
      this.#asker,
      vscode.commands.registerCommand('dynamo.hideSuggestion', () => this.hide()),
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

  /** Whether VS Code has ever asked. */
  get asked(): boolean {
    return this.#asked;
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

  /** Hides a suggestion whose rest is still being written, for good. */
  async hide(): Promise<void> {
    this.#hidden = this.#asker.current;
    await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    { triggerKind, selectedCompletionInfo }: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[] | undefined> {
    this.#asked = true;
    const own = this.#ownTrigger;
    this.#ownTrigger = false;
    const triggered = triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const explicit = triggered && !own;
    if (!explicit && this.pause.active) return undefined;
    const plain = contextAt(document, position);
    const change = this.#takeChange(document);
    const situation = situationAt(document, plain, explicit);
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
        : { document, position, version: document.version, triggered, suggestions };
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
    // What the extension takes back of a word is no deletion of the user's.
    const deleted = change && !own && { change };
    if (!explicit && refusal({ ...situation, ...deleted })) return undefined;

    try {
      const first = known ?? (await this.#answer(place, context, explicit, token));
      if (!first || token.isCancellationRequested) return undefined;
      // A second one would take the place of the first one's rest.
      if (!explicit || this.#asker.underway(context)) return show([first]);
      const second = await this.#second(place, first, token);
      return show(second ? [first, second] : [first]);
    } catch (error) {
      this.#complain(error, explicit);
      return undefined;
    }
  }

  /** What there is to show at a place: of the question under way, as long as it may be its answer. */
  async #answer(
    place: Place,
    context: CursorContext,
    explicit: boolean,
    token: vscode.CancellationToken,
  ): Promise<Suggestion | undefined> {
    for (;;) {
      const question =
        this.#asker.underway(context) ??
        this.#ask(place, context, this.#request(place, context, explicit));
      const patienceMs = explicit ? this.patience.firstMs : 0;
      const outcome = await question.until(context, token, patienceMs);
      if (token.isCancellationRequested || outcome === 'none') return undefined;
      if (outcome !== 'other') return outcome;
    }
  }

  /** Asks; what comes of it is kept, and shown where its first line is shown already. */
  #ask(place: Place, context: CursorContext, request: CompletionRequest): Question {
    const { document, position } = place;
    const question = this.#asker.ask(request, context, setWriting);
    question.answer
      .then(({ suggestion, result, latencyMs }) => {
        this.session.log.debug(
          `completion: ${Math.round(latencyMs)} ms (prefill ${Math.round(result.prefillMs)}), ` +
            `${result.promptTokens} prompt tokens, ${result.reusedTokens} reused, ` +
            `${result.tokens} tokens in ${result.steps.length} steps, ended by ${result.stopReason}`,
        );
        if (suggestion) this.#suggestions(document).add(suggestion);
        // Look-ahead is of interest to nobody until somebody waits for it.
        if (!question.wanted) return;
        this.session.record({ request, result, document: document.uri, position, latencyMs });
        if (suggestion) this.#showRest(document, question, suggestion);
      })
      .catch(() => undefined); // Whoever waits for it is told.
    return question;
  }

  /** The first line is on screen: the rest joins it, unless the user has gone on or sent it away. */
  #showRest(document: vscode.TextDocument, question: Question, whole: Suggestion): void {
    const { handedOut } = question;
    const editor = vscode.window.activeTextEditor;
    if (question === this.#hidden) return;
    if (!handedOut || whole.text === handedOut.text) return;
    if (this.#shown?.document !== document || editor?.document !== document) return;
    const context = contextAt(document, editor.selection.active);
    if (restOf(handedOut, context) && restOf(whole, context)) void this.#renew(this.#shown);
  }

  /** Where a command made it ask, VS Code takes what it has for the answer, until that is hidden. */
  async #renew({ triggered }: Shown): Promise<void> {
    if (triggered) await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
    await this.refresh();
  }

  #request({ document }: Place, context: CursorContext, explicit: boolean): CompletionRequest {
    return requestAt(document, context, explicit, this.session, this.otherFiles);
  }

  /** Another suggestion at the same place, when the model has one soon enough. */
  async #second(
    place: Place,
    first: Suggestion,
    token: vscode.CancellationToken,
  ): Promise<Suggestion | undefined> {
    const { temperature, seeds } = SECOND;
    const { context } = first;
    const { firstMs, secondMs } = this.patience;
    const patience = new vscode.CancellationTokenSource();
    const timer = setTimeout(() => patience.cancel(), secondMs);
    const cancellation = token.onCancellationRequested(() => patience.cancel());
    try {
      for (const seed of seeds) {
        const request = { ...this.#request(place, context, true), temperature, seed };
        const question = this.#asker.ask(request, context);
        const other = await question.until(context, patience.token, firstMs);
        if (patience.token.isCancellationRequested) return undefined;
        if (typeof other !== 'string' && other.text !== first.text) return other;
      }
      return undefined;
    } finally {
      clearTimeout(timer);
      cancellation.dispose();
      patience.dispose();
    }
  }

  /** Works out what follows once `suggestion` is accepted; the next real request interrupts it. */
  #lookAhead(place: Place, suggestion: Suggestion): void {
    if (!completionSettings(place.document).lookAhead || this.session.state.kind !== 'ready')
      return;
    const context = accepted(suggestion);
    if (this.#suggestions(place.document).at(context)) return;
    // The rest of what is shown is under way, or this is.
    if (this.#asker.underway(context) ?? this.#asker.underway(suggestion.context)) return;
    if (refusal(situationAt(place.document, context, false))) return;
    const question = this.#ask(place, context, this.#request(place, context, false));
    question.answer.catch((error: unknown) => this.#complain(error, false));
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
    const message = messageOf(error);
    if (error instanceof Unavailable) {
      if (explicit) void vscode.window.showInformationMessage(`DynaMo: ${message}`);
    } else if (!quiet.includes(codeOf(error) ?? '') && !isAbort(error)) {
      this.session.log.error(message);
    }
  }
}

/** VS Code tells nobody that a suggestion was hidden; while it grows, Escape is the extension's. */
const setWriting = (writing: boolean): void =>
  void vscode.commands.executeCommand('setContext', 'dynamo.writing', writing);

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
