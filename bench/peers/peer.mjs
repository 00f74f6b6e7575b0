// The peer's side of the bench: node-llama-cpp in a process of its own, asked over JSON lines.
//   {"load": FILE, "threads": N, "contextLength": N, "draft"?: FILE} → {"loadMs"}
//   {"context": N, "repeats": N} → {"prefillMs", "stepMs"}: ms a token, ms of each step
//   {"complete": IDS, "stop": IDS, "line": BOOLEAN, "maxTokens": N, "speculation": "none"|"lookup"|"draft"}
//     → {"ms", "firstMs", "tokens", "text", "drafts"?}: from an empty cache
import { createInterface } from 'node:readline';
import {
  DraftSequenceTokenPredictor,
  getLlama,
  InputLookupTokenPredictor,
  LlamaLogLevel,
} from 'node-llama-cpp';

/** The ids that measure.ts feeds to our engine. */
const TOKENS = [1, 2];
const NEXT = { generateNext: { token: true, options: { temperature: 0 } } };
/** Ends a line that has text. */
const LINE_END = /\S[^]*\n/;

let model;
let context;
/** Of the smaller model that drafts. */
let drafting;
let sequence;

async function contextOf(llama, modelPath, { threads, contextLength }) {
  const loaded = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const made = await loaded.createContext({ contextSize: contextLength, threads, sequences: 1 });
  return { model: loaded, context: made };
}

/** An empty sequence, with the package's own speculation or without. */
async function freshSequence(speculation, prompt) {
  await sequence?.dispose();
  let tokenPredictor;
  if (speculation === 'lookup') {
    tokenPredictor = new InputLookupTokenPredictor();
    tokenPredictor.updateInputTokens(prompt);
  } else if (speculation === 'draft') {
    // By default it takes what is drafted by then, which on a CPU is nothing.
    tokenPredictor = new DraftSequenceTokenPredictor(drafting.getSequence(), { minTokens: 1 });
  }
  sequence = context.getSequence({ tokenPredictor });
  return tokenPredictor;
}

const commands = {
  async load({ load: modelPath, draft, ...options }) {
    const started = performance.now();
    const llama = await getLlama({
      gpu: false,
      build: 'never',
      maxThreads: options.threads,
      logLevel: LlamaLogLevel.error,
    });
    ({ model, context } = await contextOf(llama, modelPath, options));
    if (draft !== undefined) drafting = (await contextOf(llama, draft, options)).context;
    await freshSequence('none', []);
    return { loadMs: performance.now() - started };
  },

  async measure({ context: rows, repeats }) {
    await freshSequence('none', []);
    const prompt = Array.from({ length: rows }, (_, i) => TOKENS[i % 2]);
    prompt[rows - 1] = [prompt[rows - 1], NEXT];
    let started = performance.now();
    await sequence.controlledEvaluate(prompt);
    const prefillMs = (performance.now() - started) / rows;
    const stepMs = [];
    for (let repeat = 0; repeat <= repeats; repeat++) {
      started = performance.now();
      await sequence.controlledEvaluate([[TOKENS[0], NEXT]]);
      // As with our engine, the first step warms up.
      if (repeat > 0) stepMs.push(performance.now() - started);
      await sequence.eraseContextTokenRanges([{ start: rows, end: rows + 1 }]);
    }
    return { prefillMs, stepMs };
  },

  async complete({ complete: prompt, stop, line, maxTokens, speculation }) {
    const predictor = await freshSequence(speculation, prompt);
    const said = [];
    let text = '';
    let firstMs;
    const started = performance.now();
    for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      firstMs ??= performance.now() - started;
      if (stop.includes(token)) break;
      said.push(token);
      text = model.detokenize(said);
      if (said.length === maxTokens || (line && LINE_END.test(text))) break;
    }
    const ms = performance.now() - started;
    const { validated, refuted } = sequence.tokenPredictions;
    if (speculation === 'draft') await predictor.draftSequence.dispose();
    const drafts = predictor && { tried: validated + refuted, held: validated };
    return { ms, firstMs: firstMs ?? ms, tokens: said.length, text, ...(drafts && { drafts }) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const command = ['load', 'complete'].find((name) => name in request) ?? 'measure';
  process.stdout.write(`${JSON.stringify(await commands[command](request))}\n`);
}
process.exit(0);
