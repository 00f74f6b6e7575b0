/**
 * Activation: makes the parts and wires them up. Nothing is started or read here that the first
 * completion does not need; the engine, the catalogue and the installer are loaded when they are used.
 */
import * as vscode from 'vscode';
import { registerAcceptStep } from './editor/accept-step';
import { registerCommands } from './editor/commands';
import { FirstKeys } from './editor/first-keys';
import { Generator } from './editor/generate';
import { GpuFiles } from './editor/gpu-files';
import { Installer } from './editor/installer';
import { OtherFiles } from './editor/other-files';
import { Pause } from './editor/pause';
import { CompletionProvider } from './editor/provider';
import { Session } from './editor/session';
import { StatusItem } from './editor/status';
import { registerThresholds } from './editor/thresholds';
import { WarmUp } from './editor/warm-up';

export function activate(context: vscode.ExtensionContext): unknown {
  const started = performance.now();
  const log = vscode.window.createOutputChannel('DynaMo', { log: true });
  const session = new Session(context.extensionPath, log);
  const pause = new Pause();
  const otherFiles = new OtherFiles();
  const provider = new CompletionProvider(session, pause, otherFiles);
  context.subscriptions.push(
    log,
    session,
    pause,
    otherFiles,
    provider,
    new FirstKeys(provider),
    new WarmUp(session, pause, otherFiles),
    vscode.languages.registerInlineCompletionItemProvider({ pattern: '**' }, provider),
    new StatusItem(session, pause),
    registerAcceptStep(provider),
    registerCommands(context, session, pause),
    new Generator(session),
    new Installer(session),
    new GpuFiles(session),
    registerThresholds(context, session, otherFiles),
  );
  const activationMs = performance.now() - started;
  log.debug(`activated in ${activationMs.toFixed(1)} ms`);
  // The parts for tests alone: other extensions have no business with what the user types.
  const inTest = context.extensionMode === vscode.ExtensionMode.Test;
  return inTest ? { session, provider, pause, activationMs } : undefined;
}
