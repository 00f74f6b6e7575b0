/** The sweep over ε_b: what each threshold would bring on this file. */
import { html, nothing, type TemplateResult } from 'lit';
import type { SweepPoint, ViewCard, ViewSweep } from '../messages';
import { readable } from '../model/label';
import { percent } from '../model/scale';
import { bestOf } from '../model/sweep';
import type { Page } from '../page';
import { settingsOf } from '../state';
import { EPSILON_SIGN } from './controls';
import { sweepPlot } from './plot';

export function sweepPart(page: Page): TemplateResult {
  const { sweep, card } = page.state;
  const settings = settingsOf(page.state);
  const running = sweep?.status === 'running';
  const start = () => {
    const now = settingsOf(page.state);
    if (now) page.send({ type: 'sweep', settings: now });
  };
  return html`<section aria-labelledby="sweep-title">
    <h2 id="sweep-title">Which threshold suits this file</h2>
    <p class="muted">
      Completes at places of the current file in fast mode with ${EPSILON_SIGN} from 0 to 1, and
      compares each with the exact text. Nothing is changed in the file.
    </p>
    <div class="bar">
      ${
        running
          ? html`<vscode-button @click=${() => page.send({ type: 'cancelSweep' })}
                >Cancel</vscode-button
              >
              <progress
                class="grow"
                max=${sweep.total}
                .value=${sweep.done}
                aria-label="Progress of the sweep"
              ></progress>
              <span class="muted">${sweep.done} of ${sweep.total}</span>`
          : html`<vscode-button ?disabled=${!settings} @click=${start}
              >Run the sweep</vscode-button
            >`
      }
    </div>
    ${sweep ? statusOf(sweep) : nothing} ${cardNote(card)}
    ${curves(sweep?.points ?? [], card, settings?.epsilon ?? 0)}
    ${sweep && sweep.points.length > 0 ? outcome(page, sweep) : nothing}
  </section>`;
}

function statusOf({ status, places, where, message }: ViewSweep) {
  const said = {
    running: '',
    done: `${places} places of ${readable(where)}.`,
    cancelled: 'Cancelled; shown is what was measured until then.',
    failed: message ?? 'The sweep failed.',
  }[status];
  return html`<p class=${status === 'failed' ? 'notice' : 'muted'} id="swept" role="status">
    ${said}
  </p>`;
}

/** What the model's makers measured, or plainly that they did not. */
function cardNote(card: ViewCard | undefined) {
  switch (card?.status) {
    case undefined:
      return nothing;
    case 'measured':
      return html`<p class="muted" id="card">
        Dashed: the model card’s curve, ${card.measuredOn}.
      </p>`;
    case 'none':
      return html`<p class="muted" id="card">
        The model card has no curve over ${EPSILON_SIGN}: not measured yet.
      </p>`;
    case 'unreadable':
      return html`<p class="notice" id="card">
        The model card’s curve is not shown. ${card.message}
      </p>`;
  }
}

function curves(points: readonly SweepPoint[], card: ViewCard | undefined, now: number) {
  const behind = card?.status === 'measured' ? card.points : NONE;
  if (points.length === 0 && behind.length === 0) return nothing;
  return html`<p class="muted keys">
      <span><span class="key tokens-key"></span> tokens a step</span>
      <span><span class="key speed-key"></span> speed-up, ×</span>
      <span><span class="key agree-key"></span> agreement, right</span>
    </p>
    ${sweepPlot(points, behind, now)}`;
}

const NONE: readonly SweepPoint[] = [];

function outcome(page: Page, { points, status }: ViewSweep) {
  const best = status === 'running' ? undefined : bestOf(points);
  return html`<div class="bar">
      <vscode-button
        secondary
        ?disabled=${best === undefined}
        @click=${() => {
          if (best) page.set({ epsilon: best.epsilon, mode: 'fast' });
        }}
        >Use the best</vscode-button
      >
      <span class="muted grow" id="best">
        ${
          best
            ? `ε ${best.epsilon.toFixed(2)}: ${best.speedup.toFixed(2)} × at ${percent(best.agreement)} agreement`
            : status === 'running'
              ? ''
              : 'No threshold agrees with the exact text for 99 % or more.'
        }
      </span>
    </div>
    <details>
      <summary>Numbers</summary>
      <table id="sweep-numbers">
        <thead>
          <tr>
            <th scope="col">${EPSILON_SIGN}</th>
            <th scope="col">Tokens a step</th>
            <th scope="col">Speed-up</th>
            <th scope="col">Agreement</th>
          </tr>
        </thead>
        <tbody>
          ${points.map(
            (point) =>
              html`<tr>
                <th scope="row">${point.epsilon.toFixed(2)}</th>
                <td>${point.tokensPerStep.toFixed(2)}</td>
                <td>${point.speedup.toFixed(2)} ×</td>
                <td>${percent(point.agreement)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </details>`;
}
