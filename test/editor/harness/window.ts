/** One window of VS Code in a browser, with what a user sees and does in it. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import type { EditorServer } from './server';

const STATUS = '[id="dynamo-completion.dynamo-completion.dynamo.status"]';
const SCREENSHOTS = join(process.cwd(), 'out', 'screenshots');
/** Generous, for machines that are busy with other things. */
const PATIENCE_MS = Number(process.env['DYNAMO_PATIENCE_MS'] ?? 60_000);
/** Longer than VS Code takes to save by itself, ms. */
const SAVING_MS = 4000;
/** How often VS Code in a browser stores what is to be restored, ms. */
const STORING_MS = 5000;

export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface WindowOptions {
  /** Folder of the extension under development; without it, what is installed runs. */
  readonly extension?: string;
  /** A bundle whose `run` is called in the extension host. */
  readonly tests?: string;
}

export class EditorWindow {
  /** Errors that VS Code reported of the extension. */
  readonly errors: string[] = [];

  private constructor(
    private readonly server: EditorServer,
    readonly page: Page,
  ) {
    page.on('console', (message) => {
      // Whatever this checkout's folder is called, VS Code itself lies in it.
      const text = message.text().replaceAll(process.cwd(), '');
      // VS Code repeats error messages to the user on the console; those are no exceptions.
      const told = text.startsWith('DynaMo: ');
      const ours = /dynamo|(?<!\w)\/dist\/extension\.js/i.test(text);
      if (message.type() === 'error' && ours && !told) this.errors.push(text);
    });
  }

  static async open(
    browser: Browser,
    server: EditorServer,
    { extension, tests }: WindowOptions,
  ): Promise<EditorWindow> {
    const page = await browser.newPage({ viewport: { width: 1100, height: 720 } });
    const window = new EditorWindow(server, page);
    const remote = (path: string) => `vscode-remote://127.0.0.1:${server.port}${path}`;
    const payload = [
      ...(extension ? [['extensionDevelopmentPath', remote(extension)]] : []),
      ...(tests ? [['extensionTestsPath', remote(tests)]] : []),
    ];
    const query = new URLSearchParams({ folder: server.workspace });
    if (payload.length > 0) query.set('payload', JSON.stringify(payload));
    await page.goto(`http://127.0.0.1:${server.port}/?${query.toString()}`);
    await page.waitForSelector('.monaco-workbench', { timeout: PATIENCE_MS });
    if (!tests) await page.waitForSelector(STATUS, { timeout: PATIENCE_MS });
    return window;
  }

  async close(): Promise<void> {
    await this.page.close();
  }

  /** Loads the window again, once the browser has stored a text of what is to be restored. */
  async reload(stored: string): Promise<void> {
    // VS Code stores what has changed every five seconds, but only while its page has the focus and is
    // idle: it is left in peace between two looks.
    const holds = async () => {
      await this.page.bringToFront();
      await sleep(STORING_MS / 2);
      return await this.page.evaluate(isStored, stored);
    };
    await this.until('what is to be restored', holds, Boolean);
    await this.page.reload();
    await this.page.waitForSelector(STATUS, { timeout: PATIENCE_MS });
  }

  /** Opens a file of the workspace with the cursor at its end. */
  async openFile(name: string): Promise<void> {
    const { page } = this;
    const tab = page.locator(`.tab.active[data-resource-name="${name}"]`);
    for (let attempt = 0; !(await tab.isVisible()); attempt += 1) {
      assert.ok(attempt < 5, `${name} did not open`);
      const row = page.locator(`.quick-input-list .monaco-list-row[aria-label^="${name}"]`).first();
      await this.#quickly(name, 'Control+P', join(this.server.workspace, name), row);
      await tab.waitFor({ timeout: 5000 }).catch(() => undefined);
    }
    await this.focusEditor();
    await page.keyboard.press('Control+End');
  }

  async closeTab(name: string): Promise<void> {
    const tab = this.page.locator(`.tab[data-resource-name="${name}"]`);
    await tab.locator('.tab-actions .action-label').click();
    await tab.waitFor({ state: 'detached' });
  }

  /** Back to the text, from a menu, the status bar or a webview. */
  async focusEditor(): Promise<void> {
    const focused = this.page.locator('.monaco-editor.focused').first();
    for (let attempt = 0; !(await focused.isVisible()); attempt += 1) {
      assert.ok(attempt < 10, 'no editor took the focus');
      // Not heard while a webview that has the focus is being loaded.
      await this.page.keyboard.press('Control+1');
      await focused.waitFor({ timeout: 3000 }).catch(() => undefined);
    }
  }

  /** Types as a person does, key by key. */
  async type(text: string, delay = 30): Promise<void> {
    await this.page.keyboard.type(text, { delay });
  }

  press(key: string): Promise<void> {
    return this.page.keyboard.press(key);
  }

  /** Runs a command from the palette. */
  async command(title: string): Promise<void> {
    const row = this.page.locator('.quick-input-list .monaco-list-row').first();
    await this.#quickly(title, 'F1', `>${title}`, row.filter({ hasText: title }));
  }

  /** Answers a question of an input box. */
  async answer(question: string, text: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget').filter({ hasText: question });
    await box.waitFor();
    await box.locator('.quick-input-box input').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** The grey text, all its lines; '' when there is none. */
  async ghostText(): Promise<string> {
    return await this.page.evaluate(() => {
      const textOf = (nodes: Iterable<Element>) =>
        [...nodes].map((node) => node.textContent ?? '').join('');
      const editor = document.querySelector('.monaco-editor.focused') ?? document;
      const inLine = textOf(editor.querySelectorAll('.view-lines .ghost-text-decoration'));
      const below = [...editor.querySelectorAll('.suggest-preview-text .view-line')];
      const lines = [inLine, ...below.map((line) => textOf([line]))];
      return lines.join('\n').replaceAll('\u00a0', ' ');
    });
  }

  /** Waits for grey text that fits. */
  async untilGhostText(fits: (text: string) => boolean = (text) => text !== ''): Promise<string> {
    return await this.until('ghost text', () => this.ghostText(), fits);
  }

  /** Waits until what `look` sees fits, and returns it. */
  async until<T>(what: string, look: () => T | Promise<T>, fits: (seen: T) => boolean): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    let seen = await look();
    while (!fits(seen)) {
      if (performance.now() > end) {
        await this.screenshot(`failed-${what.replace(/\W+/g, '-')}`);
        assert.fail(`${what}: waited in vain, last seen ${JSON.stringify(seen)}`);
      }
      await sleep(25);
      seen = await look();
    }
    return seen;
  }

  /**
   * Waits until a file of the workspace holds what fits. VS Code does not always save by itself what
   * was edited while it was saving; a user who waits for it saves by hand.
   */
  untilFile(name: string, fits: (text: string) => boolean): Promise<string> {
    let saved = performance.now();
    const look = async () => {
      if (performance.now() - saved > SAVING_MS) {
        if (await this.page.locator('.monaco-editor.focused').count()) {
          await this.press('Control+s');
        }
        saved = performance.now();
      }
      return this.server.read(name);
    };
    return this.until(name, look, fits);
  }

  /** Waits until VS Code has saved everything; a file may be there a moment before. */
  async untilSaved(): Promise<void> {
    const dirty = () => this.page.locator('.tab.dirty').count();
    await this.until('saved', dirty, (count) => count === 0);
  }

  /** What a screen reader says of the status item. */
  async status(): Promise<string> {
    return (await this.page.locator(STATUS).getAttribute('aria-label')) ?? '';
  }

  untilStatus(fits: RegExp): Promise<string> {
    return this.until(
      'status',
      () => this.status(),
      (text) => fits.test(text),
    );
  }

  clickStatus(): Promise<void> {
    return this.page.locator(STATUS).locator('a').click();
  }

  /** Chooses from an open list. */
  async pick(label: string | RegExp): Promise<void> {
    const row = this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: label });
    await row.first().click();
  }

  async notifications(): Promise<string[]> {
    return await this.page.locator('.notification-list-item-message').allTextContents();
  }

  async screenshot(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }

  /** Opens a list with a key, types into it and takes a row. */
  async #quickly(what: string, key: string, text: string, row: Locator): Promise<void> {
    const patience = { timeout: PATIENCE_MS / 4 };
    const input = this.page.locator('.quick-input-widget .quick-input-box input');
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await this.page.keyboard.press(key);
      // The list closes by itself when something else takes the focus meanwhile.
      const found = input.fill(text, patience).then(() => row.waitFor(patience));
      const open = await found.then(
        () => true,
        () => false,
      );
      if (open) return this.page.keyboard.press('Enter');
    }
    assert.fail(`${what}: the list did not stay open`);
  }
}

/** Whether VS Code's storage in the browser, which it writes every few seconds, holds a text. */
async function isStored(text: string): Promise<boolean> {
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('The storage gives no answer.'));
    });
  for (const { name = '' } of await indexedDB.databases()) {
    if (!name.startsWith('vscode-web-state-db')) continue;
    const database = await done(indexedDB.open(name));
    try {
      for (const store of database.objectStoreNames) {
        const values = await done(database.transaction(store).objectStore(store).getAll());
        // Values hold others as texts, whose quotes are escaped level by level.
        if (JSON.stringify(values).replaceAll('\\', '').includes(text)) return true;
      }
    } finally {
      database.close();
    }
  }
  return false;
}
