/**
 * The user's settings, read and checked. Package.json declares them; nothing else reads the
 * configuration. Whatever names a path, a model, threads or a GPU comes from the user alone: a workspace,
 * trusted or not, has no say in it.
 */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import * as vscode from 'vscode';
import type { DecodeMode } from '../engine/protocol';
import { PROVIDER_SETTINGS, type ProviderSetting } from '../engine/provider';

const SECTION = 'dynamo';

/** What belongs to the machine. A change of it loads the model anew. */
export interface MachineSettings {
  /** Id of the model; empty means the catalogue's default. */
  readonly model: string;
  /** Name of the model's token heads, `none` for none; empty means the catalogue's default. */
  readonly heads: string;
  /** Folder for models; empty means the platform's own. */
  readonly home: string;
  /** Threads of the engine; 0 lets it choose. */
  readonly threads: number;
  readonly provider: ProviderSetting;
  /** Index of the GPU; undefined lets the engine choose. */
  readonly device?: number;
}

/** What decides how a completion comes about. */
export interface CompletionSettings {
  readonly mode: DecodeMode;
  /** The static threshold ε_b, 0 to 1; the model's own when absent. */
  readonly epsilon?: number;
  readonly lines: 'auto' | 'single' | 'multiple';
  readonly maxTokens: number;
  /** After so many ms the text that there is by then is shown. */
  readonly deadlineMs: number;
  /** Whether parts of other open files go into the prompt. */
  readonly otherFiles: boolean;
  /** Whether what follows a suggestion is worked out while it is shown. */
  readonly lookAhead: boolean;
  /** Parts of fast mode; without `alpha` the mask's exponent is the model's own. */
  readonly fast: FastSettings;
  /** Whether exact mode drafts what followed the same words earlier. */
  readonly lookup: boolean;
}

/** See the engine's protocol. */
export interface FastSettings {
  readonly topK: number;
  readonly temperature: number;
  readonly alpha?: number;
  readonly useOtsu: boolean;
  readonly useBlur: boolean;
  readonly penalty: number;
  readonly chains: number;
}

const MODES: readonly DecodeMode[] = ['exact', 'fast', 'ar'];
const LINES = ['auto', 'single', 'multiple'] as const;

export function machineSettings(): MachineSettings {
  const device = userValue('device');
  return {
    model: text(userValue('model')),
    heads: text(userValue('heads')),
    home: text(userValue('home')),
    threads: Math.floor(within(userValue('threads'), 0, 256, 0)),
    provider: oneOf(userValue('provider'), PROVIDER_SETTINGS, 'auto'),
    ...(typeof device === 'number' && { device: Math.floor(within(device, 0, 63, 0)) }),
  };
}

/** The folder of everything that is installed. A relative one lies in the user's home directory. */
export async function dataHome(): Promise<string> {
  const { home } = machineSettings();
  if (home === '') return (await import('../models/paths')).dataDirectory();
  return resolve(homedir(), home.replace(/^~(?=$|[\\/])/, homedir()));
}

export function completionSettings(scope?: vscode.ConfigurationScope): CompletionSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope ?? null);
  const value = (key: string): unknown => configuration.get<unknown>(key);
  const epsilon = value('epsilon');
  return {
    mode: oneOf(value('mode'), MODES, 'exact'),
    ...(typeof epsilon === 'number' && { epsilon: within(epsilon, 0, 1, 0.5) }),
    lines: oneOf(value('lines'), LINES, 'auto'),
    maxTokens: Math.round(within(value('maxTokens'), 8, 512, 64)),
    deadlineMs: within(value('deadline'), 100, 10_000, 1000),
    otherFiles: value('otherFiles') !== false,
    lookAhead: value('lookAhead') !== false,
    fast: fastSettings((key) => value(`fast.${key}`)),
    lookup: value('lookup') !== false,
  };
}

function fastSettings(value: (key: string) => unknown): FastSettings {
  const alpha = value('coOccurrence');
  return {
    topK: Math.round(within(value('topK'), 1, 50, 50)),
    temperature: within(value('temperature'), 0.01, 10, 0.7),
    ...(typeof alpha === 'number' && { alpha: within(alpha, 0, 4, 1) }),
    useOtsu: value('otsu') !== false,
    useBlur: value('blur') !== false,
    penalty: within(value('repetitionPenalty'), 1, 10, 1.1),
    chains: Math.round(within(value('firstTokens'), 1, 4, 1)),
  };
}

/** Whether the user wants completions in a document's language. */
export function isEnabled(document: Pick<vscode.TextDocument, 'uri' | 'languageId'>): boolean {
  const scope = { uri: document.uri, languageId: document.languageId };
  return vscode.workspace.getConfiguration(SECTION, scope).get<unknown>('enable') !== false;
}

export async function setEnabled(enabled: boolean, languageId?: string): Promise<void> {
  const scope = languageId === undefined ? undefined : { languageId };
  await vscode.workspace
    .getConfiguration(SECTION, scope)
    .update('enable', enabled, vscode.ConfigurationTarget.Global, languageId !== undefined);
}

/** Whether VS Code itself shows inline suggestions, in a document or at all. */
export function inlineSuggestionsShown(document?: vscode.TextDocument): boolean {
  const configuration = vscode.workspace.getConfiguration('editor', document ?? null);
  return configuration.get<unknown>('inlineSuggest.enabled') !== false;
}

export function touchesMachine(event: vscode.ConfigurationChangeEvent): boolean {
  return ['model', 'heads', 'home', 'threads', 'provider', 'device'].some((key) =>
    event.affectsConfiguration(`${SECTION}.${key}`),
  );
}

export const touchesSettings = (event: vscode.ConfigurationChangeEvent): boolean =>
  event.affectsConfiguration(SECTION);

function userValue(key: string): unknown {
  return vscode.workspace.getConfiguration(SECTION).inspect<unknown>(key)?.globalValue;
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

function within(value: unknown, least: number, most: number, otherwise: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return otherwise;
  return Math.min(most, Math.max(least, value));
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], otherwise: T): T {
  return allowed.find((candidate) => candidate === value) ?? otherwise;
}
