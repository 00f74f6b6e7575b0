import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
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

/** What only one room may use, whatever else it imports. */
const OWNED = {
  vscode: 'editor',
  'onnxruntime-node': 'engine',
  '@huggingface/gguf': 'models',
  '@huggingface/tokenizers': 'engine',
  'node:http': 'models',
  'node:https': 'models',
};

/** Rooms without input and output. */
const PURE = ['completion', 'decoding'];

const restrictions = (room) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        paths: Object.keys(OWNED).filter((name) => OWNED[name] !== room),
        patterns: PURE.includes(room) ? ['node:*'] : [],
      },
    ],
    // Only models/ opens a network connection.
    'no-restricted-globals': ['error', ...(room === 'models' ? [] : ['fetch', 'WebSocket'])],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'out/', 'node_modules/', '.venv/', '.cache/', 'bench/data/'] },
  js.configs.recommended,
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        console: 'readonly',
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
  ...Object.keys(ROOMS).map(restrictions),
);
