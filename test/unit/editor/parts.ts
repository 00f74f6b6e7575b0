/** The parts of the editor room that tests run on a scripted `vscode` and engine, see build.ts. */
export { registerAcceptStep } from '../../../src/editor/accept-step';
export { contextAt } from '../../../src/editor/document';
export { Generator } from '../../../src/editor/generate';
export { Installer } from '../../../src/editor/installer';
export { CompletionProvider } from '../../../src/editor/provider';
export { Session } from '../../../src/editor/session';
export { StreamedEdit } from '../../../src/editor/streamed-edit';
export * as settings from '../../../src/editor/settings';
export { ThresholdPanel } from '../../../src/editor/thresholds/panel';
export { resetSettings } from '../../../src/editor/thresholds/settings';
export * as engine from './scripted-engine';
export * as vscode from './scripted-vscode';
