/**
 * `DynaMo: Show diagnostics`: what is needed to understand a problem, and nothing of what the user
 * wrote: no text, no file names, no paths below the home folder.
 */
import { arch, cpus, homedir, platform, release, totalmem } from 'node:os';
import * as vscode from 'vscode';
import type { Session } from './session';
import { completionSettings, dataHome, machineSettings } from './settings';

export async function diagnostics(
  context: vscode.ExtensionContext,
  session: Session,
): Promise<string> {
  const { version } = context.extension.packageJSON as { version: string };
  const { home, ...machine } = machineSettings();
  const report = {
    extension: { version, vscode: vscode.version, remote: vscode.env.remoteName ?? 'none' },
    machine: {
      platform: `${platform()} ${release()} ${arch()}`,
      processor: cpus()[0]?.model ?? 'unknown',
      processors: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      node: process.versions.node,
    },
    settings: { ...machine, home: home === '' ? 'default' : 'set', ...completionSettings() },
    engine: {
      state: session.state.kind,
      provider: providerOf(session),
      pid: session.enginePid ?? 'not running',
      requests: session.requests,
    },
    model: session.model ?? 'not loaded',
    installed: await installed(session),
    lastCompletion: lastCompletion(session),
    lastErrors: session.errors.map(({ at, message }) => ({ at, message: scrubbed(message) })),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function providerOf({ provider: choice }: Session): unknown {
  if (!choice) return 'not chosen';
  return { ...choice.provider, why: scrubbed(choice.why) };
}

async function installed(session: Session): Promise<unknown> {
  try {
    const { listInstalled } = await import('../models/installed');
    const models = await listInstalled({ suite: session.suite, home: await dataHome() });
    return models.map(({ id, precision, heads }) => ({ id, precision, heads: heads.state }));
  } catch (error) {
    return error instanceof Error ? scrubbed(error.message) : 'unknown';
  }
}

function lastCompletion({ lastCompletion: last }: Session): unknown {
  if (!last) return 'none';
  const { result, latencyMs } = last;
  const { tokens, steps, prefillMs, decodeMs, promptTokens, reusedTokens, stopReason, mode } =
    result;
  const times = { latencyMs, prefillMs, decodeMs };
  return {
    ...Object.fromEntries(Object.entries(times).map(([key, ms]) => [key, Math.round(ms)])),
    ...{ tokens, steps: steps.length, promptTokens, reusedTokens, stopReason, mode },
  };
}

/** A path tells whose machine it is. */
const scrubbed = (message: string): string => message.replaceAll(homedir(), '~');
