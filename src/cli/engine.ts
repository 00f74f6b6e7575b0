/** Starts the engine for one run of the command line. */
import { join } from 'node:path';
import type { ProviderChoice } from '../engine/choose-provider';
import { Engine } from '../engine/client';
import type { ModelInfo, Provider } from '../engine/protocol';
import { CPU, nameOf } from '../engine/provider';
import { selectDefault, selectModel, type ModelWish } from '../engine/select-model';
import { dataDirectory } from '../models/paths';
import type { EngineChoice } from './options';

/** The suite stands beside dist/. */
export const suite = join(__dirname, '..', 'models');
export const home = (): string => dataDirectory();

export const worker = join(__dirname, 'worker.js');

/** What runs a model, and why. */
export interface ProviderReport extends Provider {
  readonly why: string;
}

interface Loaded {
  readonly id: string;
  readonly heads: string | undefined;
  /** Whether nobody named it. */
  readonly byDefault: boolean;
  readonly info: ModelInfo;
}

/** One engine that holds one model at a time, the one asked for last. */
export class CommandLineEngine {
  readonly engine = new Engine({ worker, onFallback: (note) => this.fellBack(note) });
  private readonly given: EngineChoice;
  private loaded: Loaded | undefined;
  private choice: ProviderChoice | undefined;
  private report: ProviderReport = { ...CPU, why: 'No model was loaded.' };

  constructor(given: EngineChoice) {
    this.given = given;
  }

  /** What runs the model that was loaded last. */
  get provider(): ProviderReport {
    return this.report;
  }

  /**
   * @param heads name of the model's heads, `none` for none
   * @throws when the model is unknown or not installed, or has no such heads
   */
  async load(given?: string, heads?: string): Promise<ModelInfo> {
    const { precision, threads, provider, device } = this.given;
    const there = this.whatIsLoaded(given, heads);
    if (there) return there;
    const options = threads === undefined ? {} : { threads };
    const wish: Omit<ModelWish, 'id'> = {
      ...{ suite, home: home(), heads, precision, provider, device, options },
      process: { worker },
      onProbe: (adapter) => tell(`Testing ${nameOf(adapter.provider)}; this happens once.`),
      onOutdated: tell,
    };
    const { id, choice } =
      given === undefined
        ? await selectDefault(wish)
        : { id: given, choice: await selectModel({ ...wish, id: given }) };
    if (!choice) {
      const wanted = precision === undefined ? '' : ` --precision ${precision}`;
      throw new Error(
        `${id} is not installed. Run: node dist/cli.js models install ${id}${wanted}`,
      );
    }
    if (choice.note !== undefined) tell(choice.note);
    this.loaded = undefined; // Should loading fail, the engine has neither model.
    this.choice = choice;
    this.report = { ...choice.provider, why: choice.why };
    const info = await this.engine.load(
      choice.model,
      { ...options, provider: choice.provider },
      choice.fallback,
    );
    this.loaded = { id, heads, byDefault: given === undefined, info };
    return info;
  }

  private whatIsLoaded(id: string | undefined, heads?: string): ModelInfo | undefined {
    const { loaded } = this;
    if (!loaded || loaded.heads !== heads) return undefined;
    return (id === undefined ? loaded.byDefault : loaded.id === id) ? loaded.info : undefined;
  }

  dispose(): Promise<void> {
    return this.engine.dispose();
  }

  private fellBack(note: string): void {
    tell(note);
    this.report = { ...CPU, why: note };
    void this.choice?.lost?.(note);
  }
}

const tell = (note: string): boolean => process.stderr.write(`${note}\n`);
