/** A place in a document: whether it is worth asking there, and what is asked. */
import * as vscode from 'vscode';
import type { AskSituation } from '../completion/eligibility';
import type { CursorContext } from '../completion/types';
import type { CompletionRequest } from '../engine/protocol';
import { isWritableScheme } from './document';
import type { OtherFiles } from './other-files';
import type { Session } from './session';
import { completionSettings, isEnabled } from './settings';

export interface Place {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
}

/** A user who asked waits longer than one who types. */
export const EXPLICIT_DEADLINE_MS = 5_000;

/** @param explicit whether the user asked with a key or a command */
export function situationAt(
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

export function requestAt(
  document: vscode.TextDocument,
  context: CursorContext,
  explicit: boolean,
  session: Session,
  otherFiles: OtherFiles,
): CompletionRequest {
  const settings = completionSettings(document);
  const { mode, epsilon, fast, lookup, lines, maxTokens, deadlineMs } = settings;
  const files = settings.otherFiles ? otherFiles.for(document) : [];
  const { prefix, suffix, language } = context;
  return {
    ...{ prefix, suffix, language },
    multiline: lines === 'auto' ? 'auto' : lines === 'multiple',
    raw: false,
    mode,
    ...(epsilon !== undefined && { epsilon }),
    fast,
    drafts: { lookup },
    ...(session.tracing && { trace: { candidates: 1 } }),
    maxTokens,
    deadlineMs: explicit ? EXPLICIT_DEADLINE_MS : deadlineMs,
    ...(files.length > 0 && { files }),
  };
}
