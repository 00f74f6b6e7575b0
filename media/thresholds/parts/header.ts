/** The model, and what the engine is up to when it is not ready. */
import { html, nothing, type TemplateResult } from 'lit';
import type { ViewState } from '../messages';
import type { Page } from '../page';

const NOTICES: Readonly<Record<ViewState['engine'], string>> = {
  idle: 'The engine sleeps; the next request wakes it.',
  missing: 'The model is not installed.',
  installing: 'The model is being installed…',
  loading: 'The model is being loaded…',
  ready: '',
  restarting: 'The engine ended and starts again. What is shown below is from before.',
  failed: 'The engine cannot run. What is shown below is from before.',
};

export function headerPart(page: Page): TemplateResult {
  const { host, seen } = page.state;
  const model = host?.model ?? '';
  // While an engine starts anew nobody but what was seen knows the model.
  const name = model === '' ? (seen?.place.inspection.model ?? '') : model;
  const proposal = seen?.place.inspection.proposal;
  const depth = seen?.place.inspection.depth ?? 0;
  const heads = depth === 0 ? 'no heads' : `${depth} ${proposal?.kind ?? ''} heads`;
  return html`<header>
      <h1>Threshold view</h1>
      ${
        name !== ''
          ? html`<p>
              <span>${name}</span>${seen ? html`<span class="muted"> · ${heads}</span>` : nothing}
            </p>`
          : nothing
      }
    </header>
    ${host ? banner(page, host) : nothing}`;
}

function banner(page: Page, { engine, message }: ViewState) {
  const text = NOTICES[engine];
  if (text === '') return nothing;
  const command = { missing: 'install', failed: 'retry' } as const;
  const name = engine === 'missing' || engine === 'failed' ? command[engine] : undefined;
  return html`<div class=${`banner ${engine}`} role="alert">
    <p>${text}${message === '' ? nothing : html` <span class="muted">${message}</span>`}</p>
    ${
      name
        ? html`<vscode-button @click=${() => page.send({ type: 'command', command: name })}
            >${name === 'install' ? 'Install it' : 'Try again'}</vscode-button
          >`
        : nothing
    }
    ${
      engine === 'failed' || engine === 'restarting'
        ? html`<vscode-button
            secondary
            @click=${() => page.send({ type: 'command', command: 'log' })}
            >Show the log</vscode-button
          >`
        : nothing
    }
  </div>`;
}
