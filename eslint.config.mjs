import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/** Files with nothing but the shape of messages, and the rooms beyond that read them, too. */
const SHAPES = [
  { category: 'inspection', pattern: 'src/engine/inspection.ts', readers: ['media'] },
  { category: 'messages', pattern: 'media/thresholds/messages.ts', readers: ['editor'] },
];

/** A room is a folder (or file) of src/, or media/; ROOMS says which others each may import. */
const ROOMS = {
  completion: [],
  decoding: [],
  models: ['completion'],
  engine: ['completion', 'decoding', 'models'],
  editor: ['completion', 'decoding', 'engine', 'models'],
  cli: ['completion', 'decoding', 'engine', 'models'],
  media: ['decoding'],
};

/** What only one room may import, whatever else it may. */
const OWNED = {
  vscode: 'editor',
  'onnxruntime-node': 'engine',
  '@huggingface/gguf': 'models',
  '@huggingface/tokenizers': 'engine',
  lit: 'media',
  uplot: 'media',
};

/** Only models/ opens a network connection. */
const NETWORK = ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'undici'];

/** Rooms without input and output. */
const PURE = ['completion', 'decoding', 'media'];

const folderOf = (room) => (room === 'media' ? room : `src/${room}`);
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
    files: ['src/**/*.ts', 'media/**/*.ts'],
    plugins: { boundaries },
    settings: {
      'import/resolver': { node: { extensions: ['.ts'] } },
      'boundaries/elements': Object.keys(ROOMS).map((room) => ({
        type: room,
        pattern: folderOf(room),
      })),
      'boundaries/files': SHAPES.map(({ category, pattern }) => ({ category, pattern })),
    },
    rules: {
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: [
            ...Object.entries(ROOMS).map(([room, others]) => ({
              from: { element: { type: room } },
              allow: [room, ...others].map((type) => ({ to: { element: { type } } })),
            })),
            ...SHAPES.flatMap(({ category, readers }) =>
              readers.map((type) => ({
                from: { element: { type } },
                allow: { to: { file: { categories: category } } },
              })),
            ),
          ],
        },
      ],
    },
  },
  restrictions(['src/*.ts'], undefined, ['vscode']),
  ...Object.keys(ROOMS).map((room) => restrictions([`${folderOf(room)}/**/*.ts`], room)),
  // The pipe to the parent process is a socket to Node.
  restrictions(['src/engine/serve.ts', 'src/engine/channel.ts'], 'engine', ['node:net']),
);
