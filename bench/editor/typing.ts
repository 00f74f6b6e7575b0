/** One visit of a file, typed as a person types; one row for each key that was waited for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EditorServer } from '../../test/editor/harness/server';
import type { EditorWindow } from '../../test/editor/harness/window';
import { pressAndWatch, shownAfter } from './key';
import type { Asked } from './observer';
import type { KeyRow } from './rows';
import { restOf, type Visit } from './visits';

/** Between two keys of someone who types, ms. */
const KEY_MS = 120;
/** How long grey text is waited for: with a warm cache, and where a prompt must be read. */
const PATIENCE_MS = { warm: 2500, cold: 8000 };

export interface WatchedDesk {
  readonly window: EditorWindow;
  readonly server: EditorServer;
  /** Where the observer writes. */
  readonly folder: string;
}

export async function typeVisit(
  desk: WatchedDesk,
  visit: Visit,
  tell: (row: KeyRow) => void,
): Promise<void> {
  const { window, server } = desk;
  const path = server.write(visit.name, visit.text);
  for (const [index, gap] of visit.gaps.entries()) {
    const kind = index === 0 ? 'newFile' : 'jump';
    if (kind === 'newFile') await open(window, visit.name, `${path}:${gap.line}`);
    else await goTo(window, gap.line);
    await window.press('End');
    await sleep(visit.pauseMs);
    tell(await measured(desk, visit, kind, 'Enter'));
    for (const [at, line] of gap.lines.entries()) {
      const rest = restOf(line, at + gap.line);
      await window.type(line.slice(0, rest - 1), KEY_MS);
      await sleep(KEY_MS);
      tell(await measured(desk, visit, 'warm', line[rest - 1] ?? ' '));
      await window.type(line.slice(rest), KEY_MS);
      await sleep(KEY_MS);
      await window.press('End');
      if (at < gap.lines.length - 1) tell(await measured(desk, visit, 'nextLine', 'Enter'));
    }
  }
}

async function measured(
  { window, folder }: WatchedDesk,
  { name, pauseMs }: Visit,
  kind: KeyRow['kind'],
  key: string,
): Promise<KeyRow> {
  const cold = kind === 'newFile' || kind === 'jump';
  const seen = await pressAndWatch(window, key, PATIENCE_MS[cold ? 'cold' : 'warm']);
  const { firstLineMs, allMs } = shownAfter(seen);
  const shown = seen.sights.at(-1)?.text ?? '';
  const until = seen.at + (firstLineMs ?? Infinity);
  const asked = await askedSince(folder, seen.at, until);
  return {
    ...{ visit: name, kind, key },
    ...(cold && { pauseMs }),
    ...(firstLineMs !== undefined && { firstLineMs: Math.round(firstLineMs) }),
    ...(allMs !== undefined && { allMs: Math.round(allMs) }),
    lines: shown === '' ? 0 : shown.trim().split('\n').length,
    ...(asked && { askedAfterMs: Math.round(asked.began - seen.at), asked }),
  };
}

/** The request that was begun for the key; none when what was shown was known already. */
async function askedSince(folder: string, from: number, to: number): Promise<Asked | undefined> {
  await sleep(50);
  let text: string;
  try {
    text = readFileSync(join(folder, 'asked.jsonl'), 'utf8');
  } catch {
    return undefined;
  }
  const all = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Asked]));
  return all.find(({ began }) => began >= from - 5 && began < to);
}

/** Opens a file at a line, as from a list of search results. */
async function open(window: EditorWindow, name: string, place: string): Promise<void> {
  const { page } = window;
  await window.press('Control+P');
  const input = page.locator('.quick-input-widget .quick-input-box input');
  await input.waitFor();
  await input.fill(place);
  await page.waitForSelector(`.quick-input-list .monaco-list-row[aria-label^="${name}"]`);
  await window.press('Enter');
  await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
  await page.waitForSelector('.monaco-editor.focused');
}

async function goTo(window: EditorWindow, line: number): Promise<void> {
  await window.press('Control+G');
  const input = window.page.locator('.quick-input-widget .quick-input-box input');
  await input.waitFor();
  await input.fill(`:${line}`);
  await window.press('Enter');
  await window.page.waitForSelector('.monaco-editor.focused');
}
