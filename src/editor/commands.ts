/** The status item's menu and the small commands. */
import * as vscode from 'vscode';
import { diagnostics } from './diagnostics';
import type { Pause } from './pause';
import type { Session } from './session';
import { isEnabled, setEnabled } from './settings';

interface MenuItem extends vscode.QuickPickItem {
  readonly command?: string;
}

const SNOOZES = [
  { label: '5 minutes', minutes: 5 },
  { label: '15 minutes', minutes: 15 },
  { label: '1 hour', minutes: 60 },
  { label: 'Until I resume', minutes: Infinity },
];

export function registerCommands(
  context: vscode.ExtensionContext,
  session: Session,
  pause: Pause,
): vscode.Disposable {
  const command = (id: string, run: () => unknown) =>
    vscode.commands.registerCommand(`dynamo.${id}`, run);
  return vscode.Disposable.from(
    command('menu', () => menu(session, pause)),
    command('trigger', () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger')),
    command('snooze', () => snooze(pause)),
    command('resume', () => pause.end()),
    command('toggleLanguage', toggleLanguage),
    command('restartEngine', async () => {
      await session.restart();
      session.retry();
      session.warm();
    }),
    command('openSettings', () =>
      vscode.commands.executeCommand(
        'workbench.action.openSettings',
        `@ext:${context.extension.id}`,
      ),
    ),
    command('openWalkthrough', () =>
      vscode.commands.executeCommand(
        'workbench.action.openWalkthrough',
        `${context.extension.id}#start`,
      ),
    ),
    command('showLog', () => session.log.show()),
    command('showDiagnostics', async () => {
      const content = await diagnostics(context, session);
      const document = await vscode.workspace.openTextDocument({ content, language: 'json' });
      await vscode.window.showTextDocument(document);
    }),
  );
}

async function menu(session: Session, pause: Pause): Promise<void> {
  const chosen = await vscode.window.showQuickPick(menuItems(session, pause), {
    title: 'DynaMo',
    placeHolder: 'What to do?',
  });
  if (chosen?.command) await vscode.commands.executeCommand(chosen.command);
}

function menuItems({ state }: Session, pause: Pause): MenuItem[] {
  const item = (icon: string, label: string, command: string, description = ''): MenuItem => ({
    label: `$(${icon}) ${label}`,
    command: command.includes('.') ? command : `dynamo.${command}`,
    description,
  });
  const document = vscode.window.activeTextEditor?.document;
  const first: MenuItem[] = [];
  if (state.kind === 'missing')
    first.push(item('cloud-download', 'Install the model', 'installModel'));
  if (state.kind === 'installing') {
    first.push(item('close', 'Cancel the installation', 'cancelInstallation'));
  }
  if (state.kind === 'failed') {
    first.push({ label: state.message, kind: vscode.QuickPickItemKind.Separator });
    first.push(item('debug-restart', 'Try again', 'restartEngine'));
    first.push(item('cloud-download', 'Install the model again', 'installModel'));
    first.push(item('output', 'Show the log', 'showLog'));
  }
  return [
    ...first,
    pause.active
      ? item('play', 'Resume completions', 'resume')
      : item('debug-pause', 'Pause completions', 'snooze'),
    ...(document
      ? [
          isEnabled(document)
            ? item('circle-slash', `Switch off for ${document.languageId}`, 'toggleLanguage')
            : item('check', `Switch on for ${document.languageId}`, 'toggleLanguage'),
          item('wand', 'Generate from an instruction', 'generateFromInstruction'),
        ]
      : []),
    item('graph', 'Show thresholds', 'showThresholds'),
    item('chip', 'Choose the model', 'chooseModel'),
    item('gear', 'Settings', 'openSettings'),
    item('book', 'Getting started', 'openWalkthrough'),
    item('pulse', 'Show diagnostics', 'showDiagnostics'),
    item('output', 'Show the log', 'showLog'),
  ].filter(
    (entry, index, all) =>
      all.findIndex(({ command }) => command === entry.command) === index || !entry.command,
  );
}

async function snooze(pause: Pause): Promise<void> {
  const chosen = await vscode.window.showQuickPick(SNOOZES, {
    title: 'DynaMo: pause completions in this window for',
  });
  if (chosen) pause.start(chosen.minutes);
}

async function toggleLanguage(): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document) await setEnabled(!isEnabled(document), document.languageId);
}
