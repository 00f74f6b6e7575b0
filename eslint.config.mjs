import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/** A room is a folder (or file) of src/; ROOMS says which other rooms each may import. */
const ROOMS = {
  completion: [],
  decoding: [],
  models: ['completion'],
  engine: ['completion', 'decoding', 'models'],
  editor: ['completion', 'decoding', 'engine', 'models'],
  cli: ['completion', 'decoding', 'engine', 'models'],
};

/** What only one room may import, whatever else it may. */
const OWNED = {
  vscode: 'editor',
  'onnxruntime-node': 'engine',
  '@huggingface/gguf': 'models',
  '@huggingface/tokenizers': 'engine',
};

/** Only models/ opens a network connection. */
const NETWORK = ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'undici'];

/** Rooms without input and output. */
const PURE = ['completion', 'decoding'];

const builtin = (names) => names.flatMap((name) => [name, `node:${name}`]);

function restrictions(files, room, exceptions = []) {
  const owned = Object.keys(OWNED).filter((name) => OWNED[name] !== room);
  const network = room === 'models' ? [] : builtin(NETWORK);
  const paths = PURE.includes(room) ? builtin(builtinModules) : network;
  const forbidden = [...owned, ...paths].filter((name) => !exceptions.includes(name));
  const connect = room === 'models' ? [] : ['fetch', 'WebSocket', 'EventSource'];
  return {
    files,
    rules: {
      'no-restricted-imports': ['error', { paths: [...new Set(forbidden)] }],
      'no-restricted-globals': ['error', ...connect],
      'no-restricted-properties': [
        'error',
        ...connect.map((property) => ({ object: 'globalThis', property })),
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ['dist/', 'out/', 'node_modules/', '.venv/', '.cache/', 'bench/data/'] },
  js.configs.recommended,
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        console: 'readonly',
        performance: 'readonly',
        process: 'readonly',
        URL: 'readonly',
      },
    },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strict, ...tseslint.configs.stylistic],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { boundaries },
    settings: {
      'import/resolver': { node: { extensions: ['.ts'] } },
      'boundaries/elements': Object.keys(ROOMS).map((room) => ({
        type: room,
        pattern: `src/${room}`,
      })),
    },
    rules: {
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: Object.entries(ROOMS).map(([room, others]) => ({
            from: { element: { type: room } },
            allow: [room, ...others].map((type) => ({ to: { element: { type } } })),
          })),
        },
      ],
    },
  },
  restrictions(['src/*.ts'], undefined, ['vscode']),
  ...Object.keys(ROOMS).map((room) => restrictions([`src/${room}/**/*.ts`], room)),
  // The pipe to the parent process is a socket to Node.
  restrictions(['src/engine/serve.ts', 'src/engine/channel.ts'], 'engine', ['node:net']),
);
