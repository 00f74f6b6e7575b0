/** Who judges: a model of this machine, or an endpoint that the user named. */
import { z } from 'zod';
import { Engine, modelFiles } from '../../../src/engine/client';
import { listInstalled } from '../../../src/models/installed';
import { dataDirectory } from '../../../src/models/paths';
import { modelVersionOf, type ModelVersion } from '../../environment';
import { BEGUN } from './prompt';

export interface Judge {
  readonly name: string;
  /** Host of the endpoint; null on this machine. */
  readonly endpoint: string | null;
  /** What a model of this machine is made of. */
  readonly version?: ModelVersion;
  /** The answer to a question, with what it was begun with. */
  ask(question: string): Promise<string>;
  close(): Promise<void>;
}

const WORDS = 8;
const ENDPOINT_TOKENS = 300;
const PATIENCE_MS = 120_000;

/**
 * The model that was named, else the largest one that is installed.
 *
 * @throws when there is none
 */
export async function localJudge(
  { suite, worker }: { readonly suite: string; readonly worker: string },
  model: string | undefined,
  threads: number,
): Promise<Judge> {
  const installed = (await listInstalled({ suite, home: dataDirectory() })).filter(
    ({ precision, id }) => precision === 'int8' && (model === undefined || id === model),
  );
  const chosen = installed.reduce<(typeof installed)[number] | undefined>(
    (best, each) => (best && best.entry.source.bytes >= each.entry.source.bytes ? best : each),
    undefined,
  );
  if (!chosen) throw new Error(`No model can judge: ${model ?? 'none'} is installed.`);
  const files = modelFiles(chosen);
  const version = await modelVersionOf(chosen, files);
  const engine = new Engine({ worker });
  await engine.load(files, { threads });
  return {
    ...{ name: chosen.id, endpoint: null, version },
    async ask(prompt) {
      const decoding = { mode: 'exact', epsilon: 0.5, maxTokens: WORDS } as const;
      const { text } = await engine.generate({ prompt, chat: true, begun: BEGUN, ...decoding });
      return BEGUN + text;
    },
    close: () => engine.dispose(),
  };
}

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

/** The questions, with the texts in them, are sent there and nowhere else. */
export function endpointJudge(url: string, model: string, key: string | undefined): Judge {
  return {
    name: model,
    endpoint: new URL(url).host,
    async ask(content) {
      const response = await fetch(`${url.replace(/\/$/, '')}/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({
          ...{ model, temperature: 0, max_tokens: ENDPOINT_TOKENS },
          messages: [{ role: 'user', content }],
        }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (!response.ok) throw new Error(`The judge answered with status ${response.status}.`);
      const parsed = answerSchema.safeParse(await response.json());
      if (!parsed.success) throw new Error('The judge’s answer is not one of a chat endpoint.');
      return parsed.data.choices[0]?.message.content ?? '';
    },
    close: () => Promise.resolve(),
  };
}
