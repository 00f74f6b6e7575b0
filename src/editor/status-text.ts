/** What the status item says in each state. */
import * as vscode from 'vscode';
import { CPU, nameOf } from '../engine/provider';
import type { InstallProgress } from '../models/progress';
import type { Pause } from './pause';
import type { CompletionRecord, Session, SessionState } from './session';
import { inlineSuggestionsShown, isEnabled } from './settings';

export interface StatusText {
  readonly text: string;
  /** Markdown. */
  readonly detail: string;
  readonly severity?: 'warning' | 'error';
}

export function describe(session: Session, pause: Pause): StatusText {
  const { state } = session;
  if (state.kind !== 'installing' && state.kind !== 'failed') {
    const off = offBecause(pause);
    if (off) return { text: '$(circle-slash) DynaMo', detail: `DynaMo: ${off}` };
  }
  return describeState(state, session);
}

function offBecause(pause: Pause): string | undefined {
  const { until } = pause;
  if (until === Infinity) return 'paused. Click to resume.';
  if (until !== undefined) {
    const time = new Date(until).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    return `paused until ${time}. Click to resume.`;
  }
  const document = vscode.window.activeTextEditor?.document;
  if (!inlineSuggestionsShown(document)) {
    return 'inline suggestions are off in the setting editor.inlineSuggest.enabled.';
  }
  if (document && !isEnabled(document)) return `switched off for ${document.languageId}.`;
  return undefined;
}

function describeState(state: SessionState, session: Session): StatusText {
  switch (state.kind) {
    case 'idle':
      return { text: '$(zap) DynaMo', detail: 'DynaMo: starts with the first completion.' };
    case 'missing':
      return {
        text: '$(cloud-download) DynaMo',
        detail: `DynaMo: the model ${state.model} is not installed. Click to install it.`,
        severity: 'warning',
      };
    case 'installing':
      return {
        text: `$(sync~spin) DynaMo ${percent(state.progress)}`.trimEnd(),
        detail: `DynaMo: installing ${state.model}. ${inWords(state.progress)}`,
      };
    case 'loading':
      return { text: '$(loading~spin) DynaMo', detail: 'DynaMo: loading the model.' };
    case 'ready':
      return {
        text: state.busy ? '$(loading~spin) DynaMo' : '$(zap) DynaMo',
        detail: readyDetail(session),
      };
    case 'restarting':
      return {
        text: '$(warning) DynaMo',
        detail: `DynaMo: the engine ended and starts again. ${state.message}`,
        severity: 'warning',
      };
    case 'failed':
      return {
        text: '$(error) DynaMo',
        detail: `DynaMo: ${state.message} Click for what to do.`,
        severity: 'error',
      };
  }
}

function readyDetail({ model, provider, lastCompletion }: Session): string {
  const where = nameOf(provider?.provider ?? CPU);
  const lines = [`**DynaMo**: ${model?.id ?? 'model'} on ${where}, ${model?.precision ?? 'int8'}`];
  if (lastCompletion) lines.push(speed(lastCompletion));
  return lines.join('\n\n');
}

/** Rates of the last completion. */
export function speed({ result, latencyMs }: CompletionRecord): string {
  const { tokens, steps, decodeMs } = result;
  const aStep = steps.length > 0 ? tokens / steps.length : 0;
  const aSecond = decodeMs > 0 ? (1000 * tokens) / decodeMs : 0;
  return (
    `last completion ${Math.round(latencyMs)} ms, ${aStep.toFixed(2)} tokens a step, ` +
    `${Math.round(aSecond)} tokens a second`
  );
}

/** Share of the bytes done, or ''. */
export function percent(progress: InstallProgress | undefined): string {
  if (!progress || progress.total === 0) return '';
  return `${Math.floor((100 * progress.done) / progress.total)} %`;
}

const PHASES = {
  download: 'Downloading',
  check: 'Checking',
  convert: 'Converting',
  finish: 'Finishing',
  prepare: 'Preparing for this processor',
};

export function inWords(progress: InstallProgress | undefined): string {
  if (!progress) return '';
  const { phase, source, done, total } = progress;
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
  const of = total > 0 ? `${megabytes(done)} of ${megabytes(total)}` : '';
  const from = source ? `${phase === 'download' ? 'from ' : ''}${source}` : '';
  return [PHASES[phase], from, of].filter((part) => part !== '').join(' ');
}
