/**
 * Builds parts.ts as one module, in which scripts take the place of `vscode`, of the engine, and of
 * what installs models.
 */
import { join, resolve } from 'node:path';
import { bundling } from '../../fixtures/build';
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
  const { esbuild, load, path, options, remove } = bundling(join(HERE, 'parts.ts'));
  await esbuild.build({
    ...options,
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
  return { parts: load(path) as typeof Parts, remove };
}
