/**
 * The settings that the threshold view shows and writes. Package.json declares them; what a model
 * brings itself, ε_b and the mask, is its own until the user says otherwise.
 */
import * as vscode from 'vscode';
import { settingsSchema, type ViewSettings } from '../../../media/thresholds/messages';
import { UNCALIBRATED_EPSILON } from '../../decoding/fast-options';
import type { ModelInfo } from '../../engine/protocol';
import { completionSettings, type CompletionSettings } from '../settings';

const SECTION = 'dynamo';

/** Where each is kept. */
const KEYS: Readonly<Record<keyof ViewSettings, string>> = {
  mode: 'mode',
  epsilon: 'epsilon',
  useOtsu: 'fast.otsu',
  useBlur: 'fast.blur',
  alpha: 'fast.coOccurrence',
  topK: 'fast.topK',
  temperature: 'fast.temperature',
  chains: 'fast.firstTokens',
  penalty: 'fast.repetitionPenalty',
  lookup: 'lookup',
};

/** What is in force in a document. */
export function savedSettings(
  model: ModelInfo | undefined,
  scope?: vscode.ConfigurationScope,
): ViewSettings {
  return viewSettings(completionSettings(scope), model);
}

/** The model's own, with nothing of the user's. */
export function defaultSettings(model: ModelInfo | undefined): ViewSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const value = (name: keyof ViewSettings): unknown =>
    configuration.inspect<unknown>(KEYS[name])?.defaultValue ?? undefined;
  const given = Object.fromEntries(
    settingsSchema.keyof().options.map((name) => [name, value(name)] as const),
  );
  const alpha = given['alpha'] ?? ownAlpha(model);
  const epsilon = given['epsilon'] ?? ownEpsilon(model);
  const parsed = settingsSchema.safeParse({ ...given, alpha, epsilon });
  return parsed.success ? parsed.data : savedSettings(model);
}

function viewSettings(
  { mode, epsilon, fast, lookup }: CompletionSettings,
  model: ModelInfo | undefined,
): ViewSettings {
  const { alpha = ownAlpha(model), ...parts } = fast;
  return { mode, epsilon: epsilon ?? ownEpsilon(model), lookup, ...parts, alpha };
}

const ownEpsilon = (model: ModelInfo | undefined): number => model?.epsilon ?? UNCALIBRATED_EPSILON;

/** Independent heads need the mask, chained ones know what stands before them. */
function ownAlpha(model: ModelInfo | undefined): number {
  return model?.heads?.kind === 'independent' && model.table === true ? 1 : 0;
}

/** Writes what differs from what is in force, where it is set now, else to the user's settings. */
export async function writeSettings(
  settings: ViewSettings,
  model: ModelInfo | undefined,
): Promise<void> {
  const now = savedSettings(model);
  for (const name of settingsSchema.keyof().options) {
    if (settings[name] === now[name]) continue;
    const [target = vscode.ConfigurationTarget.Global] = targetsOf(name);
    await update(name, settings[name], target);
  }
}

/** Takes back what was written, wherever it is set. */
export async function resetSettings(): Promise<void> {
  for (const name of settingsSchema.keyof().options) {
    for (const target of targetsOf(name)) await update(name, undefined, target);
  }
}

/** Where a setting is set; the first one is in force. */
function targetsOf(name: keyof ViewSettings): vscode.ConfigurationTarget[] {
  const set = vscode.workspace.getConfiguration(SECTION).inspect<unknown>(KEYS[name]);
  const { Global, Workspace } = vscode.ConfigurationTarget;
  return [
    ...(set?.workspaceValue !== undefined ? [Workspace] : []),
    ...(set?.globalValue !== undefined ? [Global] : []),
  ];
}

async function update(
  name: keyof ViewSettings,
  value: unknown,
  target: vscode.ConfigurationTarget,
): Promise<void> {
  await vscode.workspace.getConfiguration(SECTION).update(KEYS[name], value, target);
}
