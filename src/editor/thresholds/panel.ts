/**
 * The threshold view in the editor: one webview, the messages to and from its page, and what the page
 * asks for. It only ever reads documents; what it changes are settings, when its user applies them.
 */
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import {
  readToHost,
  type ToHost,
  type ToPage,
  type ViewCard,
  type ViewPlace,
  type ViewSettings,
  type ViewState,
  type ViewSweep,
} from '../../../media/thresholds/messages';
import type { CompletionResult, InspectRequest } from '../../engine/protocol';
import { readCurve, type CurveFound } from '../../models/threshold-curve';
import { messageOf } from '../../models/errors';
import { contextAt } from '../document';
import type { OtherFiles } from '../other-files';
import type { CompletionRecord, Session } from '../session';
import { completionSettings, touchesSettings } from '../settings';
import { idsBefore, viewOf } from './completion';
import type { Counters } from './counters';
import { pageHtml } from './page';
import { samplePlaces } from './places';
import { defaultSettings, resetSettings, savedSettings, writeSettings } from './settings';
import { runSweep } from './sweep';
import { BackgroundWork } from './work';

/** From a completion to looking at it again: someone may still be typing. */
const TRACE_AFTER_MS = 600;
/** Places of a sweep, and tokens at each. */
const SWEEP_PLACES = 8;
const SWEEP_TOKENS = 32;

/** One that has not begun. */
const NO_SWEEP: ViewSweep = {
  status: 'running',
  where: '',
  places: 0,
  done: 0,
  total: 0,
  points: [],
};

const COMMANDS = {
  log: 'dynamo.showLog',
  install: 'dynamo.installModel',
  retry: 'dynamo.restartEngine',
} as const;

/** Work of one kind, of which only the latest counts. */
class Latest {
  #abort = new AbortController();

  begin(): AbortSignal {
    this.cancel();
    this.#abort = new AbortController();
    return this.#abort.signal;
  }

  cancel(): void {
    this.#abort.abort(new Error('Something newer took its place.'));
  }
}

export interface PanelParts {
  readonly session: Session;
  readonly otherFiles: OtherFiles;
  readonly counters: Counters;
}

/** Lives as long as its webview. */
export class ThresholdPanel {
  private readonly session: Session;
  private readonly otherFiles: OtherFiles;
  private readonly counters: Counters;
  readonly #work: BackgroundWork;
  readonly #looking = new Latest();
  readonly #trying = new Latest();
  readonly #sweeping = new Latest();
  readonly #disposables: vscode.Disposable[];
  /** The editor that was active last: while the page has the focus, none is. */
  #editor: vscode.TextEditor | undefined;
  /** The completion that the page shows. */
  #record: CompletionRecord | undefined;
  /** The same, decoded again with the page's settings. */
  #tried: CompletionResult | undefined;
  /** What the last sweep has come to: a page that is hidden is told nothing. */
  #swept: ViewSweep | undefined;
  #traceTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    extensionUri: vscode.Uri,
    { session, otherFiles, counters }: PanelParts,
  ) {
    this.session = session;
    this.otherFiles = otherFiles;
    this.counters = counters;
    this.#work = new BackgroundWork(session);
    this.#editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
    const { webview } = panel;
    const dist = vscode.Uri.joinPath(extensionUri, 'dist');
    const uri = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
    webview.options = { enableScripts: true, localResourceRoots: [dist] };
    this.#disposables = [
      panel,
      panel.onDidDispose(() => this.#end()),
      webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      session.onDidChangeState(() => this.#tellState()),
      session.onDidComplete((record) => this.#completed(record)),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        if (editor) this.#editor = editor;
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (touchesSettings(event)) this.#tellState();
      }),
    ];
    session.tracing = true;
    webview.html = pageHtml({
      source: webview.cspSource,
      script: uri('thresholds.js'),
      style: uri('thresholds.css'),
      nonce: randomBytes(16).toString('base64url'),
    });
  }

  #end(): void {
    this.session.tracing = false;
    for (const work of [this.#looking, this.#trying, this.#sweeping]) work.cancel();
    clearTimeout(this.#traceTimer);
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #receive(value: unknown): void {
    const message = readToHost(value);
    if (!message) {
      this.session.log.warn('The threshold view sent what is no message; nothing was done.');
      return;
    }
    this.#do(message).catch((error: unknown) => this.session.log.error(textOf(error)));
  }

  async #do(message: ToHost): Promise<void> {
    switch (message.type) {
      case 'ready':
        return await this.#begin();
      case 'inspect':
        return await this.#inspect(message.place);
      case 'try':
        return await this.#try(message.settings);
      case 'apply':
        return await writeSettings(message.settings, this.session.model);
      case 'reset':
        return await resetSettings();
      case 'sweep':
        return await this.#sweep(message.settings);
      case 'cancelSweep':
        return this.#sweeping.cancel();
      case 'command':
        await vscode.commands.executeCommand(COMMANDS[message.command]);
    }
  }

  /** The page is there, for the first time or again after it was hidden. */
  async #begin(): Promise<void> {
    this.#tellState();
    this.#send({ type: 'counters', counters: this.counters.counters });
    const record = this.session.lastCompletion;
    if (record) this.#completed(record);
    if (this.#swept) this.#send({ type: 'sweep', sweep: this.#swept });
    await this.#inspect({ kind: 'cursor' });
    this.#tellState(); // The model is known now, and with it its own settings.
    await this.#tellCard();
  }

  async #inspect(place: ViewPlace): Promise<void> {
    const signal = this.#looking.begin();
    const asked = this.#placeToLookAt(place);
    if (typeof asked === 'string') return this.#send({ type: 'notSeen', message: asked });
    this.#send({ type: 'looking' });
    try {
      const inspection = await this.#work.inspect(asked.request, signal);
      if (signal.aborted) return;
      this.#send({
        type: 'inspection',
        where: asked.where,
        place: place.kind,
        inspection,
      });
    } catch (error) {
      if (!signal.aborted) this.#send({ type: 'notSeen', message: textOf(error) });
    }
  }

  /** What to ask the engine, or why it cannot be asked. */
  #placeToLookAt(
    place: ViewPlace,
  ): { readonly where: string; readonly request: Omit<InspectRequest, 'chains'> } | string {
    if (place.kind === 'prompt') {
      const { prompt } = place;
      return { where: 'Behind your text', request: { place: { kind: 'prompt', prompt } } };
    }
    if (place.kind === 'cursor') {
      const editor = this.#editor;
      if (!editor) return 'No file is open. Open one, put the cursor somewhere, and look again.';
      const { document, selection } = editor;
      const settings = completionSettings(document);
      const { maxTokens } = settings;
      const { prefix, suffix, language } = contextAt(document, selection.active);
      const files = settings.otherFiles ? this.otherFiles.for(document) : [];
      return {
        where: whereIs(document.uri, selection.active),
        request: {
          place: { kind: 'cursor', prefix, suffix, language, maxTokens, files: [...files] },
        },
      };
    }
    const { origin, step } = place;
    const record = this.#record;
    const result = origin === 'tried' ? this.#tried : record?.result;
    const after = result && step < result.steps.length ? idsBefore(result, step) : undefined;
    if (!record || !after) return 'That step can no longer be looked at.';
    const { prefix, suffix, language, maxTokens, files } = record.request;
    const by = origin === 'tried' ? ', with these settings' : '';
    return {
      where: `Step ${step + 1} of ${whereIs(record.document, record.position)}${by}`,
      request: {
        place: { kind: 'cursor', prefix, suffix, language, maxTokens, ...(files && { files }) },
        after,
      },
    };
  }

  #completed(record: CompletionRecord): void {
    this.#trying.cancel();
    this.#show(record);
    this.#send({ type: 'counters', counters: this.counters.counters });
    clearTimeout(this.#traceTimer);
    if (idsBefore(record.result, record.result.steps.length)) return;
    // Made before the view was there: made again, with a trace of its steps.
    this.#traceTimer = setTimeout(() => {
      this.#work
        .complete(record.request, undefined, this.#trying.begin())
        .then((result) => this.#show({ ...record, result }))
        .catch(() => undefined); // What is shown stays; its steps cannot be looked at.
    }, TRACE_AFTER_MS);
  }

  #show(record: CompletionRecord): void {
    this.#record = record;
    this.#tried = undefined;
    const where = whereIs(record.document, record.position);
    this.#send({ type: 'completion', completion: viewOf(record.result, 'editor', where) });
  }

  async #try(settings: ViewSettings): Promise<void> {
    const signal = this.#trying.begin();
    const record = this.#record;
    if (!record) return this.#send({ type: 'notTried', message: '' });
    try {
      const result = await this.#work.complete(record.request, settings, signal);
      if (signal.aborted) return;
      this.#tried = result;
      const where = whereIs(record.document, record.position);
      this.#send({ type: 'completion', completion: viewOf(result, 'tried', where) });
    } catch (error) {
      if (!signal.aborted) this.#send({ type: 'notTried', message: textOf(error) });
    }
  }

  async #sweep(settings: ViewSettings): Promise<void> {
    const signal = this.#sweeping.begin();
    let swept: ViewSweep = NO_SWEEP;
    const tell = (sweep: ViewSweep) => {
      swept = this.#swept = sweep;
      this.#send({ type: 'sweep', sweep });
    };
    const fail = (message: string) => tell({ ...swept, status: 'failed', message });
    const document = this.#editor?.document;
    if (!document) return fail('No file is open; open the one to sweep over.');
    try {
      await this.session.engine();
      const { model } = this.session;
      if (model && !model.heads) {
        return fail(`${model.id} has no token heads, so every threshold gives the same.`);
      }
      const places = samplePlaces(document.getText(), document.languageId, SWEEP_PLACES);
      if (places.length === 0) return fail('This file has no line long enough to complete in.');
      const last = await runSweep(
        basename(document.fileName),
        places,
        async (place, decoding) => {
          const request = {
            ...place,
            multiline: 'auto',
            raw: false,
            maxTokens: SWEEP_TOKENS,
            mode: decoding.mode,
            epsilon: 1,
          } as const;
          const result = await this.#work.complete(request, { ...settings, ...decoding }, signal);
          const { text, tokens, steps, decodeMs } = result;
          return { text, tokens, steps: steps.length, decodeMs };
        },
        tell,
        signal,
      );
      tell(last);
    } catch (error) {
      fail(textOf(error));
    }
  }

  async #tellCard(): Promise<void> {
    const { model, suite } = this.session;
    if (model) this.#send({ type: 'card', card: cardOf(await readCurve(suite, model.id)) });
  }

  #tellState(): void {
    const { state, model } = this.session;
    const message = 'message' in state ? state.message : '';
    const named = 'model' in state ? state.model : '';
    const view: ViewState = {
      engine: state.kind,
      busy: state.kind === 'ready' && state.busy,
      message: message.slice(0, 4_000),
      model: model?.id ?? named,
      saved: savedSettings(model, this.#editor?.document),
      defaults: defaultSettings(model),
    };
    this.#send({ type: 'state', state: view });
  }

  #send(message: ToPage): void {
    void this.panel.webview.postMessage(message).then(undefined, () => undefined);
  }
}

function cardOf(found: CurveFound): ViewCard {
  if (found.status === 'unreadable') return { ...found, message: found.message.slice(0, 4_000) };
  if (found.status === 'none') return found;
  const { tasks, kinds, heads, precision, curve } = found.curve;
  const measuredOn = `${tasks} tasks (${kinds.join(', ')}), heads ${heads}, ${precision}`;
  return { status: 'measured', points: curve, measuredOn };
}

function whereIs(uri: vscode.Uri, { line, character }: vscode.Position): string {
  return `${basename(uri.path)}:${line + 1}:${character + 1}`;
}

const textOf = (error: unknown): string => messageOf(error).slice(0, 4_000);
