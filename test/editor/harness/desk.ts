/** What a group of tests works at: a VS Code of its own, a browser, and a window with the extension. */
import type { Browser } from 'playwright-core';
import { installVsCode } from './install';
import { EditorServer, type ServerOptions } from './server';
import { EditorWindow, launchBrowser, type WindowOptions } from './window';

export interface DeskOptions extends Pick<ServerOptions, 'env' | 'settings'> {
  /** Files of the workspace: their texts. */
  readonly files?: Readonly<Record<string, string>>;
}

export class Desk {
  private constructor(
    /** VS Code's own folder. */
    readonly vscode: string,
    readonly server: EditorServer,
    readonly browser: Browser,
  ) {}

  static async open({ files = {}, ...options }: DeskOptions = {}): Promise<Desk> {
    const { vscode, browser } = installVsCode('.cache');
    const server = await EditorServer.start({ vscode, ...options });
    for (const [name, text] of Object.entries(files)) server.write(name, text);
    return new Desk(vscode, server, await launchBrowser(browser));
  }

  /** A window with the extension of this checkout, unless told otherwise. */
  window(options: WindowOptions = { extension: process.cwd() }): Promise<EditorWindow> {
    return EditorWindow.open(this.browser, this.server, options);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
  }
}
