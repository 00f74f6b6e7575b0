/** What is compared, and both sides of it with a model loaded. */
import { basename, join, resolve } from 'node:path';
import type { TextTokenizer, PromptFormat } from '../../src/completion/types';
import { loadTokenizer, type EngineTokenizer } from '../../src/engine/tokenizer';
import { findModel, readCatalog } from '../../src/models/catalog';
import { installModel } from '../../src/models/install';
import type { InstalledModel } from '../../src/models/installed';
import { dataDirectory } from '../../src/models/paths';
import { obtainModelFile } from '../../src/models/source';
import { ours, peer, type Side } from './sides';

export interface Comparison {
  /** Of this bench. */
  readonly folder: string;
  /** The results file. */
  readonly out: string;
  readonly models: readonly string[];
  /** GGUF files that are on this machine, by model. */
  readonly files: ReadonlyMap<string, string>;
  /** What the peer loads instead of a model's own file. */
  readonly peerFile: string | undefined;
  /** What the peer may draft with. */
  readonly draftFile: string | undefined;
  readonly threads: number;
  readonly quick: boolean;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
}

/** What results call the peer's file. */
export const peerName = ({ peerFile }: Comparison): string =>
  peerFile === undefined ? 'same' : basename(peerFile);

/** A model that is installed, and what the peer loads of it. */
export interface Prepared {
  readonly model: InstalledModel;
  readonly gguf: string;
  readonly format: PromptFormat;
  readonly tokenizer: EngineTokenizer;
}

/** Installs the model where it is not. */
export async function prepare(
  { folder, files, peerFile }: Comparison,
  id: string,
): Promise<Prepared> {
  const suite = join(folder, '../../models');
  const home = dataDirectory();
  const entry = findModel(await readCatalog(suite), id);
  const from = files.get(id);
  // Checks the file against the catalogue's hash, or downloads it; it stays for the next time.
  const source = await obtainModelFile({ home, entry, from, onProgress: () => undefined });
  const place = { suite, home, id, precision: 'int8' } as const;
  const model = await installModel({ ...place, from: source.path });
  const tokenizer = await loadTokenizer(model.tokenizer);
  const gguf = peerFile === undefined ? source.path : resolve(peerFile);
  return { model, gguf, format: entry.prompt, tokenizer };
}

export interface Sides {
  readonly ours: Side;
  readonly theirs: Side;
  readonly loadMs: { readonly ours: number; readonly theirs: number };
  close(): Promise<void>;
}

/** Both sides, loaded. */
export async function openSides(
  { folder, draftFile, threads }: Comparison,
  { model, gguf, format, tokenizer }: Prepared,
  contextLength: number,
): Promise<Sides> {
  const options = { threads, contextLength };
  const first = ours(join(folder, '../../dist/worker.js'), model, options);
  const draft = draftFile === undefined ? undefined : resolve(draftFile);
  const second = peer(folder, { gguf, draft }, stopTokens(format, tokenizer), options);
  const close = async () => void (await Promise.all([first.close(), second.close()]));
  try {
    const loadMs = { ours: await first.load(), theirs: await second.load() };
    return { ours: first, theirs: second, loadMs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Ids that end a text; not every model has them all. */
const stopTokens = ({ stop }: PromptFormat, tokenizer: TextTokenizer): number[] =>
  stop.flatMap((name) => tokenizer.control(name) ?? []);
