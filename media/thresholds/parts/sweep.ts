/** The sweep over ε_b: what each threshold would bring on this file. */
import { html, nothing, type TemplateResult } from 'lit';
import type { SweepPoint } from '../messages';
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
    if (settings) page.send({ type: 'sweep', settings });
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
    ${sweep ? result(page, sweep.points, card, settings?.epsilon ?? 0) : nothing}
  </section>`;
}

function result(
  page: Page,
  points: readonly SweepPoint[],
  card: readonly SweepPoint[],
  now: number,
) {
  const { sweep } = page.state;
  const best = sweep?.status === 'running' ? undefined : bestOf(points);
  const said = {
    running: '',
    done: `${sweep?.places ?? 0} places of ${sweep?.where ?? ''}.`,
    cancelled: 'Cancelled; shown is what was measured until then.',
    failed: sweep?.message ?? 'The sweep failed.',
  }[sweep?.status ?? 'done'];
  return html`<p class=${sweep?.status === 'failed' ? 'notice' : 'muted'} role="status">${said}</p>
    ${
      points.length === 0
        ? nothing
        : html`<p class="muted keys">
              <span class="key tokens-key"></span> tokens a step
              <span class="key speed-key"></span> speed-up, ×
              <span class="key agree-key"></span> agreement, right
              ${card.length > 0 ? html`<span>dashed: the model card</span>` : nothing}
            </p>
            ${sweepPlot(points, card, now)}
            <div class="bar">
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
                    : sweep?.status === 'running'
                      ? ''
                      : 'No threshold agrees with the exact text for 99 % or more.'
                }
              </span>
            </div>
            <details>
              <summary>Numbers</summary>
              <table>
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
            </details>`
    }`;
}
