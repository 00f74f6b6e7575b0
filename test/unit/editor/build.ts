/**
 * Builds parts.ts as one module, in which scripts take the place of `vscode`, of the engine, and of
 * what installs models. esbuild is looked up from the repository's root, where tests run.
 */
import type * as Esbuild from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type * as Parts from './parts';

const HERE = resolve('test', 'unit', 'editor');
const SCRIPTED = {
  'scripted-vscode.ts': /^vscode$/,
  'scripted-engine.ts': /\/engine\/(?:client|select-model)$|\/models\/install$/,
};

export interface BuiltParts {
  readonly parts: typeof Parts;
  remove(): void;
}

export async function buildParts(): Promise<BuiltParts> {
  const load = createRequire(resolve('package.json'));
  const { build } = load('esbuild') as typeof Esbuild;
  const directory = mkdtempSync(join(tmpdir(), 'dynamo-parts-'));
  const path = join(directory, 'parts.cjs');
  await build({
    entryPoints: [join(HERE, 'parts.ts')],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['onnxruntime-node'],
    logLevel: 'error',
    plugins: [
      {
        name: 'scripted',
        setup({ onResolve }) {
          for (const [file, filter] of Object.entries(SCRIPTED)) {
            onResolve({ filter }, () => ({ path: join(HERE, file) }));
          }
        },
      },
    ],
  });
  const remove = () => rmSync(directory, { recursive: true, force: true });
  return { parts: load(path) as typeof Parts, remove };
}
