// The peer's side of the bench: node-llama-cpp in a process of its own, asked over JSON lines.
//   {"load": FILE, "threads": N, "contextLength": N} → {"loadMs"}
//   {"context": N, "repeats": N}                     → {"prefillMs", "stepMs"}: ms a token, ms of each step
import { createInterface } from 'node:readline';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

/** The ids that measure.ts feeds to our engine. */
const TOKENS = [1, 2];
const NEXT = { generateNext: { token: true, options: { temperature: 0 } } };
let sequence;

const commands = {
  async load({ load: modelPath, threads, contextLength }) {
    const started = performance.now();
    const llama = await getLlama({
      gpu: false,
      build: 'never',
      maxThreads: threads,
      logLevel: LlamaLogLevel.error,
    });
    const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
    const context = await model.createContext({
      contextSize: contextLength,
      threads,
      sequences: 1,
    });
    sequence = context.getSequence();
    return { loadMs: performance.now() - started };
  },

  async measure({ context, repeats }) {
    await sequence.clearHistory();
    const prompt = Array.from({ length: context }, (_, i) => TOKENS[i % 2]);
    prompt[context - 1] = [prompt[context - 1], NEXT];
    let started = performance.now();
    await sequence.controlledEvaluate(prompt);
    const prefillMs = (performance.now() - started) / context;
    const stepMs = [];
    for (let repeat = 0; repeat <= repeats; repeat++) {
      started = performance.now();
      await sequence.controlledEvaluate([[TOKENS[0], NEXT]]);
      // As with our engine, the first step warms up.
      if (repeat > 0) stepMs.push(performance.now() - started);
      await sequence.eraseContextTokenRanges([{ start: context, end: context + 1 }]);
    }
    return { prefillMs, stepMs };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = await ('load' in request ? commands.load(request) : commands.measure(request));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
