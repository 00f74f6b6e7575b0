/** The import rules of ARCHITECTURE.md are lint rules; here is what they must refuse. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { ESLint as Linter } from 'eslint';

const { ESLint } = createRequire(resolve('package.json'))('eslint') as { ESLint: typeof Linter };

const REFUSED: readonly (readonly [file: string, code: string, rule: string])[] = [
  ['src/completion/text.ts', "import '../models/catalog';", 'boundaries/dependencies'],
  ['src/decoding/random.ts', "import '../engine/clock';", 'boundaries/dependencies'],
  ['src/engine/clock.ts', "import '../cli/usage';", 'boundaries/dependencies'],
  ['src/completion/text.ts', "import 'node:fs';", 'no-restricted-imports'],
  ['src/decoding/random.ts', "import 'fs';", 'no-restricted-imports'],
  ['src/decoding/random.ts', "import 'onnxruntime-node';", 'no-restricted-imports'],
  ['src/engine/clock.ts', "import 'https';", 'no-restricted-imports'],
  ['src/engine/clock.ts', "import 'node:tls';", 'no-restricted-imports'],
  ['src/engine/clock.ts', "import 'node:net';", 'no-restricted-imports'],
  ['src/engine/clock.ts', "import 'vscode';", 'no-restricted-imports'],
  ['src/engine/clock.ts', "void fetch('https://example.org');", 'no-restricted-globals'],
  ['media/thresholds/state.ts', "import '../../src/engine/clock';", 'boundaries/dependencies'],
  ['media/thresholds/state.ts', "import '../../src/editor/settings';", 'boundaries/dependencies'],
  ['media/thresholds/messages.ts', "import '../../src/engine/clock';", 'boundaries/dependencies'],
  ['src/editor/status.ts', "import '../../media/thresholds/state';", 'boundaries/dependencies'],
  ['media/thresholds/state.ts', "void fetch('https://example.org');", 'no-restricted-globals'],
  ['src/editor/status.ts', "import 'lit';", 'no-restricted-imports'],
  ['src/cli.ts', "void globalThis.fetch('https://example.org');", 'no-restricted-properties'],
  ['src/cli.ts', "import 'onnxruntime-node';", 'no-restricted-imports'],
];

describe('lint', function () {
  this.timeout(120_000);
  const eslint = new ESLint({ cwd: process.cwd() });

  for (const [file, code, rule] of REFUSED) {
    it(`refuses ${code} in ${file}`, async () => {
      const [result] = await eslint.lintText(`${code}\n`, { filePath: resolve(file) });
      const rules = (result?.messages ?? []).map((message) => message.ruleId);
      assert.ok(rules.includes(rule), `${rules.join(', ') || 'no complaint'}`);
    });
  }
});
