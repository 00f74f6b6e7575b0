/** What the last completions came to. */
import { html, nothing, type TemplateResult } from 'lit';
import { percent } from '../model/scale';
import type { Page } from '../page';

export function countersPart({ state }: Page): TemplateResult {
  const { counters } = state;
  return html`<section aria-labelledby="counters-title">
    <h2 id="counters-title">Over the last completions</h2>
    ${
      counters && counters.steps > 0
        ? html`<dl class="tiles">
            ${tile('Tokens a step', (counters.tokens / counters.steps).toFixed(2), counters.completions === 1 ? '1 completion' : `${counters.completions} completions`)}
            ${tile('Tokens a second', rate(counters.tokens, counters.decodeMs), against(counters))}
            ${counters.heads.map(({ drafted, accepted }, index) =>
              drafted === 0
                ? nothing
                : tile(
                    `Head ${index + 2} accepted`,
                    percent(accepted / drafted),
                    `${accepted} of ${drafted}`,
                  ),
            )}
            ${
              counters.lookup.drafted === 0
                ? nothing
                : tile(
                    'Lookup accepted',
                    percent(counters.lookup.accepted / counters.lookup.drafted),
                    `${counters.lookup.accepted} of ${counters.lookup.drafted}`,
                  )
            }
          </dl>`
        : html`<p class="notice">Nothing to count yet.</p>`
    }
  </section>`;
}

const rate = (tokens: number, ms: number) => (ms > 0 ? ((1000 * tokens) / ms).toFixed(0) : '–');

function against({
  tokens,
  decodeMs,
  plainMs,
}: {
  readonly tokens: number;
  readonly decodeMs: number;
  readonly plainMs?: number;
}): string {
  if (plainMs === undefined || decodeMs === 0) return 'plain decoding is not known yet';
  const speedup = (plainMs * tokens) / decodeMs;
  return `${speedup.toFixed(2)} × plain decoding (${(1000 / plainMs).toFixed(0)})`;
}

const tile = (name: string, value: string, more: string) =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
    <dd class="muted">${more}</dd>
  </div>`;
