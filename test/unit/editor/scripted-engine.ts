/** An engine that a test scripts, and what chooses and installs its model. */
import type { ProviderChoice } from '../../../src/engine/choose-provider';
import type { EngineOptions, EngineState } from '../../../src/engine/client';
import type { ModelFiles, ModelInfo } from '../../../src/engine/protocol';

export const INFO = {
  ...{ id: 'qwen2.5-coder-0.5b', precision: 'int8', contextLength: 4096, loadMs: 1 },
} satisfies ModelInfo as ModelInfo;

interface Script {
  /** What the engine is to load of a model; undefined where it is not installed. */
  select: (id: string) => Promise<ProviderChoice | undefined>;
  /** How an installation goes. */
  install: (signal: AbortSignal) => Promise<void>;
}

export const script: Script = {
  select: (id) => Promise.resolve(choice(id)),
  install: () => Promise.resolve(),
};

export const choice = (id = INFO.id): ProviderChoice =>
  ({
    model: { id, precision: 'int8' },
    provider: { name: 'cpu', device: 0 },
    why: 'Asked for.',
  }) as ProviderChoice;

/** All engines that were made. */
export const engines: Engine[] = [];

export class Engine {
  disposed = false;
  /** Id of the model that it loaded. */
  model = '';
  readonly pid = 7;

  constructor(private readonly options: EngineOptions) {
    engines.push(this);
  }

  async load({ id }: ModelFiles): Promise<ModelInfo> {
    await Promise.resolve();
    this.model = id;
    const info = { ...INFO, id };
    this.options.onLoad?.(info);
    return info;
  }

  /** Tells its state, as the process behind it does. */
  says(work: EngineState['work']): void {
    this.options.onState?.({ process: { phase: 'ready' }, work });
  }

  complete(): Promise<unknown> {
    return Promise.resolve({ text: `by ${this.model}` });
  }

  reset(): void {
    return;
  }

  dispose(): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }
}

export async function selectModel({ id }: { id: string }): Promise<ProviderChoice | undefined> {
  return await script.select(id);
}

export async function selectDefault() {
  return { id: INFO.id, choice: await script.select(INFO.id) };
}

export const installationFor = () => Promise.resolve({ id: INFO.id, precisions: ['int8'] });

export const installPrecisions = ({ signal }: { signal: AbortSignal }): Promise<void> =>
  script.install(signal);
