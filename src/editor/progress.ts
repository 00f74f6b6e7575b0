/** A long job of models/ as a notification that can be cancelled. */
import * as vscode from 'vscode';
import type { InstallProgress, ProgressListener } from '../models/progress';
import { inWords } from './status-text';

/** Runs a job while its progress shows; the notification's button aborts `abort`. */
export async function inNotification<T>(
  title: string,
  abort: AbortController,
  job: (onProgress: ProgressListener) => Promise<T>,
): Promise<T> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `DynaMo: ${title}`,
    cancellable: true,
  };
  return await vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => abort.abort(new Error('Cancelled.')));
    let done = 0;
    return await job((report: InstallProgress) => {
      const percent = report.total > 0 ? (100 * report.done) / report.total : 0;
      progress.report({ message: inWords(report), increment: Math.max(0, percent - done) });
      done = percent < done ? 0 : percent;
    });
  });
}

export async function show(message: string): Promise<void> {
  await vscode.window.showInformationMessage(`DynaMo: ${message}`);
}
