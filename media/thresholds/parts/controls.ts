/** The controls: what each does in a line, and which differ from the saved settings. */
import { html, nothing, type TemplateResult } from 'lit';
import type { ViewSettings } from '../messages';
import type { Page } from '../page';
import { differences, settingsOf } from '../state';

/** The static threshold, as the paper writes it. */
export const EPSILON_SIGN = html`ε<sub>b</sub>`;

interface Slider {
  readonly name: 'epsilon' | 'alpha' | 'topK' | 'temperature' | 'penalty';
  readonly title: TemplateResult | string;
  readonly help: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly digits: number;
}

const EPSILON: Slider = {
  name: 'epsilon',
  title: html`Threshold ${EPSILON_SIGN}`,
  help: 'How sure the model must be of a further token. 1 writes one token a step, 0 always all.',
  min: 0,
  max: 1,
  step: 0.01,
  digits: 2,
};

const ALPHA: Slider = {
  name: 'alpha',
  title: html`Co-occurrence α<sub>c</sub>`,
  help: 'Weight of how often tokens follow one another in text. 0 leaves J as the heads say.',
  min: 0,
  max: 2,
  step: 0.05,
  digits: 2,
};

const FINER: readonly Slider[] = [
  {
    name: 'temperature',
    title: 'Temperature',
    help: 'Below 1 the likely become likelier.',
    min: 0.1,
    max: 2,
    step: 0.05,
    digits: 2,
  },
  {
    name: 'topK',
    title: 'Top-k',
    help: 'Candidates of each head.',
    min: 1,
    max: 50,
    step: 1,
    digits: 0,
  },
  {
    name: 'penalty',
    title: 'Repetition penalty',
    help: 'Divides what repeats a recent token. 1 is off.',
    min: 1,
    max: 2,
    step: 0.05,
    digits: 2,
  },
];

const MODES = {
  ar: 'One token a step, without heads: the measure of the others.',
  exact: 'The same text as plain, in fewer steps: drafts are verified.',
  fast: 'Several tokens a step wherever J is above the thresholds, unverified.',
} as const;

export function controlsPart(page: Page): TemplateResult {
  const settings = settingsOf(page.state);
  const { host, seen } = page.state;
  if (!settings || !host) {
    return html`<aside class="controls" aria-label="Controls"></aside>`;
  }
  const changed = differences(settings, host.saved);
  const place = seen?.place;
  const noTable = place !== undefined && place.table === undefined;
  const toggle = (
    name: 'useOtsu' | 'useBlur' | 'lookup',
    title: string,
    help: string,
    off = false,
  ) =>
    html`<div class=${rowClass(changed.includes(name))}>
      <vscode-checkbox
        toggle
        label=${title}
        data-setting=${name}
        ?checked=${settings[name]}
        .checked=${settings[name]}
        ?disabled=${off}
        @change=${(event: Event) => page.set({ [name]: (event.target as HTMLInputElement).checked })}
      ></vscode-checkbox>
      <p class="help">${help}${saved(changed.includes(name), host.saved[name] ? 'on' : 'off')}</p>
    </div>`;
  const slide = (slider: Slider, off = '') =>
    sliderRow(page, slider, settings, changed.includes(slider.name) ? host.saved : undefined, off);
  return html`<aside class="controls" aria-labelledby="controls-title">
    <h2 id="controls-title">Settings</h2>
    <div class=${rowClass(changed.includes('mode'))}>
      ${segmented(
        'Mode',
        'mode',
        [
          ['ar', 'Plain'],
          ['exact', 'Exact'],
          ['fast', 'Fast'],
        ],
        settings.mode,
        (mode) => page.set({ mode }),
      )}
      <p class="help">${MODES[settings.mode]}${saved(changed.includes('mode'), host.saved.mode)}</p>
    </div>
    ${slide(EPSILON)}
    ${toggle('useOtsu', 'Otsu’s threshold', 'Also drops what lies below the gap between likely and unlikely cells of J.')}
    ${toggle('useBlur', 'Blur', 'Looks for that gap in a blurred J, so that lone cells weigh less.', !settings.useOtsu)}
    ${slide(ALPHA, noTable ? 'This model has no co-occurrence table.' : '')}
    ${FINER.map((slider) => slide(slider))}
    ${toggle('lookup', 'Lookup drafts', 'Exact mode also drafts what followed the same words earlier.')}
    <div class="bar actions">
      <vscode-button
        ?disabled=${changed.length === 0}
        @click=${() => page.send({ type: 'apply', settings })}
        >Apply</vscode-button
      >
      <vscode-button secondary @click=${() => page.send({ type: 'reset' })}>Reset</vscode-button>
    </div>
    <p class="muted" role="status">
      ${
        changed.length === 0
          ? 'These are your saved settings.'
          : `${changed.length} not saved. Apply writes to your settings; Reset restores the model’s own.`
      }
    </p>
  </aside>`;
}

function sliderRow(
  page: Page,
  { name, title, help, min, max, step, digits }: Slider,
  settings: ViewSettings,
  was: ViewSettings | undefined,
  off: string,
) {
  const value = settings[name];
  const moved = (event: Event) =>
    page.set({ [name]: Number((event.target as HTMLInputElement).value) });
  return html`<div class=${rowClass(was !== undefined)}>
    <label for=${`set-${name}`}
      ><span>${title}</span><output>${value.toFixed(digits)}</output></label
    >
    <input
      id=${`set-${name}`}
      data-setting=${name}
      type="range"
      min=${min}
      max=${max}
      step=${step}
      .value=${String(value)}
      ?disabled=${off !== ''}
      aria-describedby=${`help-${name}`}
      @input=${moved}
    />
    <p class="help" id=${`help-${name}`}>
      ${off === '' ? help : off}${saved(was !== undefined, was?.[name].toFixed(digits) ?? '')}
    </p>
  </div>`;
}

const rowClass = (changed: boolean) => (changed ? 'control changed' : 'control');
const saved = (changed: boolean, value: string) =>
  changed ? html` <span class="was">Saved: ${value}</span>` : nothing;

/** A few choices beside one another, one of them taken: radio buttons in a row. */
export function segmented<T extends string>(
  title: string,
  name: string,
  choices: readonly (readonly [value: T, text: string])[],
  taken: T,
  take: (value: T) => void,
): TemplateResult {
  return html`<fieldset class="segmented" data-name=${name}>
    <legend>${title}</legend>
    ${choices.map(
      ([value, text]) =>
        html`<label
          ><input
            type="radio"
            name=${name}
            value=${value}
            .checked=${value === taken}
            @change=${() => take(value)}
          /><span>${text}</span></label
        >`,
    )}
  </fieldset>`;
}
