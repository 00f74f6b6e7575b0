/** Starts the engine for one run of the command line. */
import { join } from 'node:path';
import { Engine, modelFiles } from '../engine/client';
import type { ModelInfo } from '../engine/protocol';
import { readCatalog } from '../models/catalog';
import { findInstalled } from '../models/installed';
import { dataDirectory, type Precision } from '../models/paths';

/** The suite stands beside dist/. */
export const suite = join(__dirname, '..', 'models');
export const home = (): string => dataDirectory();

/** One engine that holds one model at a time, the one asked for last. */
export class CommandLineEngine {
  readonly engine = new Engine({ worker: join(__dirname, 'worker.js') });
  private loaded: { readonly key: string; readonly info: ModelInfo } | undefined;

  constructor(
    private readonly precision: Precision,
    private readonly threads: number | undefined,
  ) {}

  /**
   * @param heads name of the model's heads, `none` for none
   * @throws when the model is unknown or not installed, or has no such heads
   */
  async load(given?: string, heads?: string): Promise<ModelInfo> {
    const id = given ?? (await readCatalog(suite)).default;
    const key = JSON.stringify([id, heads]);
    if (this.loaded?.key === key) return this.loaded.info;
    const model = await findInstalled({ suite, home: home(), id, precision: this.precision });
    if (!model) {
      const precision = this.precision === 'int8' ? '' : ` --precision ${this.precision}`;
      throw new Error(
        `${id} is not installed. Run: node dist/cli.js models install ${id}${precision}`,
      );
    }
    this.loaded = undefined; // Should loading fail, the engine has neither model.
    const options = this.threads === undefined ? {} : { threads: this.threads };
    const info = await this.engine.load(modelFiles(model, heads), options);
    this.loaded = { key, info };
    return info;
  }

  dispose(): Promise<void> {
    return this.engine.dispose();
  }
}
