/** What the model believes at a place: the decision, the heatmaps of J, its histogram. */
import { html, nothing, type TemplateResult } from 'lit';
import { headAt } from '../../../src/decoding/proposal';
import { ladderOf, type Ladder } from '../model/decision';
import { gridOf, orders, panel, panels, slices, type Panel } from '../model/panels';
import { format, histogram, position } from '../model/scale';
import { readable, visible } from '../model/label';
import { lastOf } from '../model/memo';
import type { Place } from '../model/options';
import type { ViewSettings } from '../messages';
import type { Page } from '../page';
import { settingsOf, type Kept, type Seen } from '../state';
import { heatmap } from './heatmap';
import { EPSILON_SIGN, segmented } from './controls';
import { tokenChip } from './tokens';
import { histogramPlot } from './plot';

const ladder = lastOf(ladderOf);
const drawn = lastOf(
  (place: Place, settings: ViewSettings, order: number, layout: Kept['layout']) => {
    const single = layout === 'all' ? undefined : panel(place, settings, order, layout);
    return layout === 'all' ? panels(place, settings, order) : single ? [single] : [];
  },
);
/** The picture that thresholds and histogram are about, whatever panels are shown. */
const main = lastOf((place: Place, settings: ViewSettings, order: number) =>
  panel(place, settings, order, 'cut'),
);
const counted = lastOf(histogram);

export function placePart(page: Page, width: number): TemplateResult {
  const { state } = page;
  return html`<section aria-labelledby="place-title">
    <h2 id="place-title">What the model expects</h2>
    ${sourceBar(page)} ${notice(page)} ${state.seen ? seenPart(page, state.seen, width) : nothing}
  </section>`;
}

function sourceBar(page: Page): TemplateResult {
  const { kept, looking } = page.state;
  const typed = (event: Event) =>
    page.keep({ prompt: (event.target as HTMLTextAreaElement).value });
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) page.look();
  };
  return html`<div class="bar">
    ${segmented(
      'Look',
      'source',
      [
        ['cursor', 'At the cursor'],
        ['prompt', 'Behind a text'],
      ],
      kept.source,
      (source) => page.keep({ source }),
    )}
    ${
      kept.source === 'prompt'
        ? html`<vscode-textarea
            class="grow"
            label="Text to continue"
            placeholder="Text to continue; Ctrl+Enter looks"
            rows="2"
            .value=${kept.prompt}
            @input=${typed}
            @keydown=${key}
          ></vscode-textarea>`
        : nothing
    }
    <vscode-button secondary @click=${() => page.look()}>
      ${looking ? 'Looking…' : 'Look'}
    </vscode-button>
  </div>`;
}

function notice({ state }: Page) {
  if (state.notSeen !== '') return html`<p class="notice" role="status">${state.notSeen}</p>`;
  if (state.seen) return nothing;
  return html`<p class="notice" role="status">
    ${
      state.looking
        ? 'Asking the model…'
        : 'Put the cursor somewhere in a file and choose Look, or look behind a text of your own.'
    }
  </p>`;
}

function seenPart(page: Page, seen: Seen, width: number) {
  const settings = settingsOf(page.state);
  if (!settings) return nothing;
  const { place } = seen;
  const { inspection } = place;
  return html`<p class="where">
      <strong>${readable(seen.where)}</strong>
      <span class="tail" dir="ltr">${tail(inspection.promptTail)}</span>
      <span class="muted"
        >${inspection.promptTokens} prompt tokens, ${inspection.reusedTokens} of them from the
        cache, ${inspection.ms.toFixed(0)} ms</span
      >
    </p>
    ${
      inspection.healed === ''
        ? nothing
        : html`<p class="muted">
            The cursor stands inside a token, so the first token had to begin with
            ${tokenChip({ text: visible(inspection.healed), name: false })}; shown is what comes
            behind it.
          </p>`
    }
    ${decision(page, ladder(place, settings), settings)}
    ${inspection.depth === 0 ? noHeads(place, settings) : jointPart(page, place, settings, width)}`;
}

function decision(page: Page, { rungs, tokens, joint }: Ladder, settings: ViewSettings) {
  const count = tokens.length === 1 ? '1 token' : `${tokens.length} tokens`;
  const { depth } = page.state.seen?.place.inspection ?? { depth: 0 };
  return html`<p class="verdict" role="status">
      Fast mode writes <strong>${count}</strong> here: ${tokens.map(tokenChip)}
      <span class="muted">${tokens.length === 1 ? 'probability' : 'J'} ${format(joint)}</span>
    </p>
    ${
      settings.mode === 'fast'
        ? nothing
        : html`<p class="muted">
            ${
              settings.mode === 'exact'
                ? 'The mode is exact: the text is the base model’s own, and the heads only save time.'
                : 'The mode is plain: one token a step, without the heads.'
            }
          </p>`
    }
    ${
      depth > 0 && rungs.length === 0
        ? html`<p class="muted">At ${EPSILON_SIGN} = 1 every step writes one token.</p>`
        : nothing
    }
    ${
      rungs.length === 0
        ? nothing
        : html`<table class="ladder">
            <thead>
              <tr>
                <th scope="col">Tokens</th>
                <th scope="col">Largest J</th>
                <th scope="col">Needed</th>
                <th scope="col">Otsu</th>
                <th scope="col">Survive</th>
                <th scope="col">Outcome</th>
              </tr>
            </thead>
            <tbody>
              ${rungs.map(
                (rung) =>
                  html`<tr class=${rung.outcome}>
                    <th scope="row">${rung.order}</th>
                    <td>${rung.survivors > 0 ? format(rung.largest) : '–'}</td>
                    <td>${format(rung.staticThreshold)}</td>
                    <td>
                      ${rung.adaptiveThreshold === undefined ? '–' : format(rung.adaptiveThreshold)}
                    </td>
                    <td data-survivors=${rung.survivors}>${rung.survivors}</td>
                    <td>${rung.outcome === 'chosen' ? '✓ ' : ''}${rung.why}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }`;
}

/** A model without heads: the base's own candidates, as likely as fast mode takes them to be. */
function noHeads(place: Place, { temperature, topK }: ViewSettings) {
  const { proposal } = place;
  const base = proposal.kind === 'independent' ? proposal.heads[0] : undefined;
  if (!base) return nothing;
  const { probabilities } = headAt(base, temperature, topK);
  return html`<p class="notice">
      This model has no token heads, so each step writes one token (or what lookup finds), and there
      is no joint distribution to cut. These are its likeliest next tokens at the temperature of the
      settings.
    </p>
    <ol class="bars">
      ${Array.from(
        probabilities.slice(0, 10),
        (share, rank) =>
          html`<li>
            ${tokenChip(place.label(base.ids[rank] ?? 0))}
            <meter min="0" max="1" .value=${share} aria-label="probability"></meter>
            <span>${format(share)}</span>
          </li>`,
      )}
    </ol>`;
}

function jointPart(page: Page, place: Place, settings: ViewSettings, width: number) {
  const { kept } = page.state;
  const shown = drawn(place, settings, kept.order, kept.layout);
  const cut = main(place, settings, kept.order);
  if (!cut) return nothing;
  const chained = place.proposal.kind === 'chained';
  return html`${toolbar(page, place)} ${chained ? chainNote(page, settings) : nothing}
    ${kept.order === 3 && !chained ? sliceBar(page, place) : nothing}
    <div class=${kept.layout === 'all' ? 'panels many' : 'panels'}>
      ${shown.map((each) => {
        const room = kept.layout === 'all' ? panelWidth(width) : width;
        const most = chained ? Math.min(kept.size, columnsIn(room)) : kept.size;
        return heatmap(page, each, gridOf(place, each.picture, kept.size, kept.slice, most), room);
      })}
    </div>
    ${readout(page, place, shown)} ${legend(cut)}
    ${histogramPlot(counted(cut.picture.masked, cut.picture.survivors), cut.picture.trace)}`;
}

function toolbar(page: Page, place: Place) {
  const { kept } = page.state;
  const masked = place.table !== undefined;
  return html`<div class="bar">
    ${segmented(
      'Tokens',
      'order',
      orders(place).map((order) => [String(order), `${order} tokens`] as const),
      String(kept.order),
      (order) => page.keep({ order: Number(order) }),
    )}
    ${segmented(
      'J',
      'layout',
      [
        ['plain', 'Plain'],
        ...(masked ? [['masked', 'Masked'] as const] : []),
        ['cut', 'Thresholded'],
        ['all', 'Side by side'],
      ],
      kept.layout,
      (layout) => page.keep({ layout }),
    )}
    ${segmented(
      'Cells',
      'size',
      ['10', '15', '20'].map((size) => [size, size] as const),
      String(kept.size),
      (size) => page.keep({ size: Number(size) }),
    )}
  </div>`;
}

function chainNote(page: Page, settings: ViewSettings) {
  const { chains } = settings;
  return html`<div class="bar">
    <span class="muted grow"
      >This model’s heads are chained: each sees the token before its own, so a row of J exists only
      for a first token that they were asked about, here
      ${chains === 1 ? 'the likeliest one' : `the ${chains} likeliest`}.</span
    >
    ${segmented(
      'Rows',
      'chains',
      ['1', '2', '3', '4'].map((rows) => [rows, rows] as const),
      String(chains),
      (rows) => page.set({ chains: Number(rows) }),
    )}
  </div>`;
}

function sliceBar(page: Page, place: Place) {
  const { kept } = page.state;
  const labels = slices(place, 8);
  return html`<div class="bar">
    ${segmented(
      'Third token',
      'slice',
      labels.map((label, rank) => [String(rank), label.text] as const),
      String(kept.slice),
      (slice) => page.keep({ slice: Number(slice) }),
    )}
  </div>`;
}

function readout({ state }: Page, place: Place, shown: readonly Panel[]) {
  const { cell, kept } = state;
  const panel = shown.find(({ key }) => key === cell?.panel);
  const row = panel && gridOf(place, panel.picture, kept.size, kept.slice).rows[cell?.row ?? -1];
  const found = row?.cells[cell?.column ?? -1];
  if (!panel || !found) {
    return html`<p id="readout" class="readout muted">
      Point at a cell, or move there with the arrow keys, to read its tokens and values.
    </p>`;
  }
  const { picture } = panel;
  const ids = picture.idsAt(found.place);
  const survives = picture.leftAt(found.place) > 0;
  return html`<p id="readout" class="readout" role="status">
    ${ids.map((id) => tokenChip(place.label(id)))}
    <span>plain <b>${format(picture.plain[found.place] ?? 0)}</b></span>
    ${
      place.table
        ? html`<span>masked <b>${format(picture.masked[found.place] ?? 0)}</b></span>`
        : nothing
    }
    <span>${picture.best === found.place ? 'chosen' : survives ? 'survives' : 'dropped'}</span>
  </p>`;
}

/** The colour scale with both thresholds on it, the smaller one's name on the left of its mark. */
function legend({ picture }: Panel) {
  const { staticThreshold, adaptiveThreshold = 0, order } = picture.trace;
  const marks = [
    { kind: 'static', name: order === 3 ? 'ε²' : 'ε', value: staticThreshold },
    { kind: 'otsu', name: 'Otsu', value: adaptiveThreshold },
  ].sort((a, b) => a.value - b.value);
  return html`<div class="legend" role="img" aria-label=${legendText(picture.trace)}>
    <div class="ramp"></div>
    ${marks.map(({ kind, name, value }, index) =>
      value <= 0
        ? nothing
        : html`<span
            class=${`mark ${kind} ${sideOf(value, index)}`}
            data-value=${value}
            .style=${`left:${100 * position(value)}%`}
            ><span>${name} ${format(value)}</span></span
          >`,
    )}
    <div class="ticks">
      <span>10⁻⁵</span><span>10⁻⁴</span><span>.001</span><span>.01</span><span>.1</span>
      <span>1</span>
    </div>
  </div>`;
}

/** Near the scale's end a name stands before its mark, above the other one. */
function sideOf(value: number, index: number): string {
  if (index === 0) return 'before';
  return position(value) > 0.8 ? 'before raised' : 'behind';
}

function legendText({ staticThreshold, adaptiveThreshold }: Panel['picture']['trace']): string {
  const otsu =
    adaptiveThreshold === undefined ? '' : `, Otsu’s threshold ${format(adaptiveThreshold)}`;
  return `Colour scale from 0.00001 to 1. Static threshold ${format(staticThreshold)}${otsu}.`;
}

/** As many panels beside one another as can be read. */
function panelWidth(width: number): number {
  const columns = width >= 1180 ? 5 : width >= 720 ? 3 : width >= 470 ? 2 : 1;
  return Math.floor((width - 16 * (columns - 1)) / columns);
}

/** Cells that have a token of their own need room for it. */
const columnsIn = (width: number) => Math.max(3, Math.floor((width - 110) / 50));

const tail = (text: string) =>
  readable(`${text.length > TAIL ? '…' : ''}${text.slice(-TAIL)}`.replace(/\s+/g, ' '));
/** Characters of the prompt that are shown. */
const TAIL = 80;
