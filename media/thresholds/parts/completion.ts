/** The last completion, step by step, and what the controls' settings would make of it. */
import { html, nothing, type TemplateResult } from 'lit';
import type { ViewCompletion } from '../messages';
import { readable } from '../model/label';
import { MOST_RUNS, describeStep, runsOf, totalsOf, type Colour, type Run } from '../model/trace';
import { lastOf } from '../model/memo';
import type { Page } from '../page';
import { segmented } from './controls';
import { stepsPlot } from './plot';

const editorRuns = lastOf(runsOf);
const triedRuns = lastOf(runsOf);

export function completionPart(page: Page): TemplateResult {
  const { editor, tried, trying, notTried, kept } = page.state;
  return html`<section aria-labelledby="completion-title">
    <h2 id="completion-title">The last completion, step by step</h2>
    ${
      editor
        ? html`<div class="bar">
              <span class="grow where"><strong>${readable(editor.where)}</strong></span>
              ${segmented(
                'Colour by',
                'colour',
                [
                  ['step', 'Step'],
                  ['confidence', 'Confidence'],
                  ['time', 'Time'],
                ],
                kept.colour,
                (colour) => page.keep({ colour }),
              )}
            </div>
            ${sourceKey()} ${steps(page, editor, editorRuns, 'In the editor')}
            ${tried ? steps(page, tried, triedRuns, 'With these settings') : nothing}
            ${trying ? html`<p class="muted" role="status">Decoding again with these settings…</p>` : nothing}
            ${notTried === '' ? nothing : html`<p class="notice" role="status">${notTried}</p>`}`
        : html`<p class="notice">None yet. Type in a file, or trigger an inline suggestion.</p>`
    }
  </section>`;
}

/** Of the steps of a completion the one that is chosen. */
function chosenIn({ state: { active } }: Page, origin: ViewCompletion['origin']) {
  return active?.origin === origin ? active.step : undefined;
}

function sourceKey() {
  return html`<p class="muted keys">
    <span><span class="key source-base"></span> base</span>
    <span><span class="key source-head"></span> heads</span>
    <span><span class="key source-lookup"></span> lookup</span>
    <span><s class="rejected">struck</s> drafts that did not hold</span>
  </p>`;
}

function steps(page: Page, completion: ViewCompletion, runs: typeof runsOf, title: string) {
  const { kept, everything } = page.state;
  const { origin } = completion;
  const all = everything === completion;
  const shown = runs(completion, kept.colour, all);
  const totals = totalsOf(completion);
  const chosen = chosenIn(page, origin);
  const cursor = chosen === undefined ? undefined : completion.steps[chosen];
  const id = `steps-${origin}`;
  const look = (step: number) => {
    if (completion.steppable) page.lookAtStep({ origin, step });
  };
  const key = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    // From the step that is chosen now: another key may have come since this was drawn.
    const from = chosenIn(page, origin) ?? -by;
    look(Math.min(shown.length - 1, Math.max(0, from + by)));
  };
  return html`<h3>
      ${title}
      <span class="muted"
        >${modeName(completion.mode)} · ${totals.tokensPerStep.toFixed(2)} tokens a step ·
        ${totals.tokensPerSecond.toFixed(0)} tokens/s · ${completion.tokens} tokens in
        ${completion.steps.length} steps, ${completion.decodeMs.toFixed(0)} ms</span
      >
    </h3>
    ${stepList(`${title}: steps of the completion`, id, kept.colour, shown, chosen, look, key)}
    ${
      shown.length < completion.steps.length
        ? html`<p class="muted">
            The first ${MOST_RUNS} of ${completion.steps.length} steps are shown.
            <vscode-button secondary @click=${() => page.showAll(completion)}
              >Show all</vscode-button
            >
          </p>`
        : nothing
    }
    <p class="muted" role="status">
      ${
        cursor && chosen !== undefined
          ? describeStep(cursor, chosen)
          : origin === 'tried'
            ? nothing
            : completion.steppable
              ? 'Choose a step to see above what it was decided from.'
              : 'The document has changed since, so its steps cannot be looked at any more.'
      }
    </p>
    ${origin === 'editor' && completion.steps.length > 1 ? stepsPlot(completion.steps) : nothing}`;
}

/** The steps' texts, without a space around them: in running text every one shows. */
function stepList(
  label: string,
  id: string,
  colour: Colour,
  runs: readonly Run[],
  chosen: number | undefined,
  look: (step: number) => void,
  key: (event: KeyboardEvent) => void,
) {
  const active = chosen === undefined ? nothing : `${id}-${chosen}`;
  // prettier-ignore
  return html`<div class=${`steps by-${colour}`} id=${id} role="listbox" tabindex="0" dir="ltr"
    aria-label=${label} aria-activedescendant=${active} @keydown=${key}
    >${runs.map((run) => stepSpan(run, id, run.step === chosen, look))}</div>`;
}

function stepSpan(run: Run, list: string, chosen: boolean, look: (step: number) => void) {
  const { step, text, rejected, source, strength, title } = run;
  const classes = `step source-${source} shade-${Math.round(strength * 10)}`;
  const struck =
    rejected === '' ? nothing : html`<s class="rejected" aria-hidden="true">${rejected}</s>`;
  // prettier-ignore
  return html`<span role="option" id=${`${list}-${step}`} aria-selected=${chosen ? 'true' : 'false'}
    aria-label=${`${title}: ${text}`} class=${classes} title=${title} @click=${() => look(step)}
    >${text === '' ? '·' : text}</span>${struck}`;
}

const modeName = (mode: ViewCompletion['mode']) =>
  ({ ar: 'plain', exact: 'exact', fast: 'fast' })[mode];
