/**
 * Everything that reads what somebody else may have made, each with sound inputs to damage. A reader
 * returns, or refuses with an error of its kind; anything else is a bug.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { readCooccurrence } from '../../src/decoding/cooccurrence-file';
import { Channel } from '../../src/engine/channel';
import { ProtocolError } from '../../src/engine/errors';
import { LIMITS, parseToChild, parseToParent } from '../../src/engine/protocol';
import { loadTokenizer } from '../../src/engine/tokenizer';
import { readCatalog } from '../../src/models/catalog';
import { ModelError } from '../../src/models/errors';
import { openGguf } from '../../src/models/gguf';
import { bindPlan, parsePlan } from '../../src/models/plan';
import { readRecord, recordName } from '../../src/models/record';
import { openSafetensors } from '../../src/models/safetensors';
import { HeadsSource } from '../../src/models/sources';
import { rowCount } from '../../src/models/tensors';
import { tokenizerFromGguf } from '../../src/models/tokenizer-json';
import { writeCooccurrence } from '../fixtures/cooccurrence-writer';
import { floatTensor, ggufBytes } from '../fixtures/gguf-writer';
import { inspection } from '../fixtures/inspection';
import { safetensorsBytes } from '../fixtures/safetensors-writer';
import { tinyHeadsPlan, tinyId, tinyPlan } from '../fixtures/tiny-model';
import { smallMetadata } from '../fixtures/tokenizer-small';

export interface Reader {
  readonly name: string;
  readonly sound: readonly Uint8Array[];
  /** Whether the sound inputs are JSON. */
  readonly text: boolean;
  /** Resolves, or rejects with an error that `refuses`. */
  readonly read: (content: Buffer) => Promise<void>;
  readonly refuses: (error: unknown) => boolean;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const nothing = Promise.resolve();
const isModelError = (error: unknown): boolean => error instanceof ModelError;

/** The readers, with a folder for the files that some of them need. */
export function openReaders(): { readers: Reader[]; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'dynamo-fuzz-'));
  const file = (name: string, content: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const readers: Reader[] = [
    {
      name: 'GGUF',
      sound: [gguf()],
      text: false,
      async read(content) {
        const opened = await openGguf(file('x.gguf', content));
        try {
          for (const tensor of opened.tensors.values()) {
            // What is read is never more than the file holds, dequantised.
            await opened.rows(tensor, 0, Math.min(rowCount(tensor), 4));
          }
          tokenizerFromGguf(opened.metadata, 'qwen2');
        } finally {
          await opened.close();
        }
      },
      refuses: (error) =>
        isModelError(error) ||
        (error instanceof Error && error.message.startsWith('The tokenizer in the GGUF file')),
    },
    {
      name: 'safetensors',
      sound: [safetensors()],
      text: false,
      async read(content) {
        const opened = await openSafetensors(file('x.safetensors', content));
        try {
          const heads = new HeadsSource(opened);
          for (const tensor of heads.tensors.values()) {
            await heads.readRows(tensor.name, 0, rowCount(tensor));
          }
        } finally {
          await opened.close();
        }
      },
      // A scale that is none, or rows without scales.
      refuses: (error) => isModelError(error) || error instanceof RangeError,
    },
    {
      name: 'weight plan',
      sound: [json(tinyPlan), json({ ...tinyHeadsPlan, heads })],
      text: true,
      read(content) {
        const plan = parsePlan(content.toString('utf8'), 'plan.json');
        if (plan.heads === undefined) bindPlan(plan, { tensors: { gguf: tensors } });
        return nothing;
      },
      refuses: isModelError,
    },
    {
      name: 'catalogue',
      sound: [readFileSync(join(process.cwd(), 'models', 'catalog.json'))],
      text: true,
      async read(content) {
        file('catalog.json', content);
        await readCatalog(folder);
      },
      refuses: isModelError,
    },
    {
      name: 'install record',
      sound: [json(record())],
      text: true,
      async read(content) {
        file(recordName, content);
        await readRecord(folder, tinyId, 'int8');
      },
      refuses: () => false,
    },
    {
      name: 'tokenizer',
      sound: [json(tokenizerFromGguf(smallMetadata(), 'qwen2'))],
      text: true,
      async read(content) {
        const tokenizer = await loadTokenizer(file('tokenizer.json', content));
        tokenizer.decode(tokenizer.encode('return foo(bar)\n    in the end: é'));
      },
      refuses: (error) => error instanceof Error,
    },
    {
      name: 'co-occurrence table',
      sound: [table()],
      text: false,
      read(content) {
        const found = readCooccurrence(content);
        for (let a = 0; a < 8; a++) {
          for (let b = 0; b < 8; b++) found.tripleLift(a, b, found.pairLift(a, b) ?? 1);
        }
        return nothing;
      },
      refuses: (error) => error instanceof Error && error.message.includes('is damaged'),
    },
    channelReader('messages to the child', toChild, parseToChild),
    channelReader('messages to the parent', toParent, parseToParent),
  ];
  return { readers, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Bytes of a pipe, cut into pieces, as a channel of the engine receives them. */
function channelReader(
  name: string,
  messages: readonly object[],
  parse: (value: unknown) => unknown,
): Reader {
  return {
    name,
    sound: messages.map((message) => Buffer.concat([json(message), Buffer.from('\n')])),
    text: true,
    read(content) {
      return new Promise((resolve, reject) => {
        const pipe = new PassThrough();
        const close = (error?: Error): void => (error ? reject(error) : resolve());
        new Channel(pipe, { parse, maxBytes: LIMITS.message, onMessage: noop, onClose: close });
        const cut = content.length >> 1;
        pipe.write(content.subarray(0, cut));
        pipe.end(content.subarray(cut));
      });
    },
    refuses: (error) => error instanceof ProtocolError,
  };
}

const noop = (): void => undefined;

function gguf(): Buffer {
  const q8 = new Uint8Array(34 * 2).fill(1);
  const tensors = [
    floatTensor('norm', [8], [1, 2, 3, 4, 5, 6, 7, 8]),
    floatTensor('w', [4, 3], [...Array(12).keys()]),
    { name: 'q', dims: [64, 1], type: 8, data: q8 },
  ];
  return Buffer.from(ggufBytes(tensors, { ...smallMetadata(), 'a.float': 1.5, flag: true }));
}

const safetensors = (): Uint8Array =>
  safetensorsBytes(
    {
      shortlist: { dtype: 'I32', shape: [3], values: [7, 0, 70_000] },
      matrix: { dtype: 'I8', shape: [2, 4], values: [1, -2, 3, -127, 127, 0, 5, 6] },
      'matrix.scale': { dtype: 'F32', shape: [2], values: [0.5, 2] },
      norm: { dtype: 'F32', shape: [4], values: [1, 2, 3, 4] },
    },
    { record: '{"format":"x"}' },
  );

const table = (): Uint8Array =>
  writeCooccurrence({
    resolution: 0.001,
    unigrams: Array.from({ length: 8 }, (_, i) => i / 40),
    pairs: [
      [0, 1, 2],
      [0, 3, 4],
      [2, 1, 8],
      [7, 7, 0.5],
    ],
    triples: [
      [0, 1, 2, 2],
      [2, 1, 0, 4],
    ],
  });

/** What the tiny plan is made of. */
const tensors = new Map(
  [
    { name: 'norm', dims: [8] },
    { name: 'q', dims: [8, 8] },
    { name: 'k', dims: [8, 4] },
  ].map((tensor) => [tensor.name, tensor]),
);

/** The tiny heads without a file. */
const heads = { ...tinyHeadsPlan.heads, bytes: 3, sha256: 'a'.repeat(64) };

const hashed = { bytes: 3, sha256: 'a'.repeat(64) };

const record = (): object => ({
  version: 3,
  id: tinyId,
  precision: 'int8',
  source: hashed,
  plan: hashed,
  graph: { file: 'graph.onnx', ...hashed },
  weights: { file: 'weights-int8.bin', ...hashed },
  tokenizer: { file: 'tokenizer.json', ...hashed },
  heads: [],
});

const decoding = { maxTokens: 8, mode: 'exact', epsilon: 0.5 };
const toChild: object[] = [
  { type: 'hello', version: 1 },
  {
    type: 'load',
    id: 1,
    model: {
      ...{ id: 'm', precision: 'int8', graph: '/g', weights: '/w', tokenizer: '/t' },
      ...{ contextLength: 100, prompt: { stop: ['<|end|>'] } },
    },
    options: { threads: 2 },
  },
  {
    type: 'complete',
    id: 2,
    request: {
      ...{ prefix: 'a', suffix: 'b', language: 'python', multiline: 'auto', raw: false },
      ...decoding,
    },
  },
  { type: 'generate', id: 3, request: { prompt: 'p', chat: true, ...decoding } },
  { type: 'measure', id: 5, request: { rows: 8, context: 64, repeats: 3 } },
  { type: 'cancel', id: 2 },
];
const toParent: object[] = [
  { type: 'ready', version: 1 },
  { type: 'error', id: 3, code: 'model', message: 'no' },
  { type: 'state', state: 'busy' },
  { type: 'result', id: 6, result: inspection('m') },
  {
    type: 'result',
    id: 5,
    result: { kind: 'measure', context: 64, prefillMs: 1, stepMs: [1, 2, 3] },
  },
];
