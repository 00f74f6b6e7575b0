/** What is compared, and both sides of it with a model loaded. */
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import type { TextTokenizer, PromptFormat } from '../../src/completion/types';
import type { ModelFiles } from '../../src/engine/protocol';
import { filesWithDefaults } from '../../src/engine/select-model';
import { loadTokenizer, type EngineTokenizer } from '../../src/engine/tokenizer';
import { findModel, readCatalog } from '../../src/models/catalog';
import { hashFile } from '../../src/models/files';
import { installModel } from '../../src/models/install';
import { dataDirectory } from '../../src/models/paths';
import { obtainModelFile } from '../../src/models/source';
import { modelVersionOf } from '../environment';
import type { Subject } from './loaded';
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

/** A model that is installed, and what the peer loads of it. */
export interface Prepared {
  readonly subject: Subject;
  readonly model: ModelFiles;
  readonly gguf: string;
  readonly format: PromptFormat;
  readonly tokenizer: EngineTokenizer;
}

/** Installs the model where it is not. */
export async function prepare(
  { folder, files, peerFile, draftFile }: Comparison,
  id: string,
): Promise<Prepared> {
  const suite = join(folder, '../../models');
  const home = dataDirectory();
  const entry = findModel(await readCatalog(suite), id);
  const from = files.get(id);
  // Checks the file against the catalogue's hash, or downloads it; it stays for the next time.
  const source = await obtainModelFile({ home, entry, from, onProgress: () => undefined });
  const place = { suite, home, id, precision: 'int8' } as const;
  const installed = await installModel({ ...place, from: source.path });
  const model = await filesWithDefaults(suite, installed);
  const gguf = peerFile === undefined ? source.path : resolve(peerFile);
  const loaded = {
    model: await modelVersionOf(installed, model),
    peerSha256: peerFile === undefined ? entry.source.sha256 : await sha256Of(gguf),
    ...(draftFile !== undefined && { draftSha256: await sha256Of(resolve(draftFile)) }),
  };
  const name = peerFile === undefined ? 'same' : basename(peerFile);
  const tokenizer = await loadTokenizer(installed.tokenizer);
  return {
    subject: { model: id, peer: name, loaded },
    model,
    gguf,
    format: entry.prompt,
    tokenizer,
  };
}

const sha256Of = async (path: string): Promise<string> => (await hashFile(path)).sha256;

const packageFile = z.object({ version: z.string() });

/** Version of node-llama-cpp. */
export async function peerVersion(folder: string): Promise<string> {
  const path = join(folder, 'node_modules/node-llama-cpp/package.json');
  return packageFile.parse(JSON.parse(await readFile(path, 'utf8'))).version;
}

export interface Sides {
  readonly ours: Side;
  readonly theirs: Side;
  readonly loadMs: { readonly ours: number; readonly theirs: number };
  close(): Promise<void>;
}

/** Both sides, loaded one after the other. */
export async function openSides(
  { folder, draftFile, threads }: Comparison,
  { model, gguf, format, tokenizer }: Prepared,
  contextLength: number,
  first: 'ours' | 'theirs' = 'ours',
): Promise<Sides> {
  const options = { threads, contextLength };
  const left = ours(join(folder, '../../dist/worker.js'), model, options);
  const draft = draftFile === undefined ? undefined : resolve(draftFile);
  const right = peer(folder, { gguf, draft }, stopTokens(format, tokenizer), options);
  const close = async () => void (await Promise.all([left.close(), right.close()]));
  try {
    return { ours: left, theirs: right, loadMs: await loadBoth(left, right, first), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns ms */
export async function loadBoth(
  ours: Side,
  theirs: Side,
  first: 'ours' | 'theirs',
): Promise<Sides['loadMs']> {
  if (first === 'ours') return { ours: await ours.load(), theirs: await theirs.load() };
  const ms = await theirs.load();
  return { ours: await ours.load(), theirs: ms };
}

/** Ids that end a text; not every model has them all. */
const stopTokens = ({ stop }: PromptFormat, tokenizer: TextTokenizer): number[] =>
  stop.flatMap((name) => tokenizer.control(name) ?? []);
