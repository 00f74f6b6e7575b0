/** Generation into a document, on a session that writes what the test says. */
import assert from 'node:assert/strict';
import type { GenerationRequest, StepSummary } from '../../../src/engine/protocol';
import { buildParts, type BuiltParts } from './build';

/** What the model writes, piece by piece, and why it ends. */
interface Written {
  readonly pieces: readonly string[];
  readonly stopReason?: string;
  readonly error?: Error;
}

describe('a generation', () => {
  let built: BuiltParts;
  let generator: { dispose(): void } | undefined;
  let requests: GenerationRequest[];

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());
  afterEach(() => generator?.dispose());

  /** A document, its settings, and a model that writes the same to every request. */
  function begin(text: string, { pieces, stopReason = 'stopToken', error }: Written, options = {}) {
    const { Generator, vscode } = built.parts;
    vscode.open(text, options);
    requests = [];
    const generate = async (
      request: GenerationRequest,
      onStep: (step: StepSummary) => void,
      signal: AbortSignal,
    ) => {
      requests.push(request);
      for (const piece of pieces) {
        onStep({ n: 1, text: piece } as StepSummary);
        await new Promise((resolve) => setTimeout(resolve, 2));
        signal.throwIfAborted();
      }
      if (error) throw error;
      return { stopReason };
    };
    const log = { info: () => undefined, warn: () => undefined };
    generator = new Generator({ generate, log } as never);
    return vscode;
  }

  it('at the cursor goes on with the text as the model writes it', async () => {
    const vscode = begin('def add(a, b):|\n', { pieces: ['\n    x = a', ' + b\n'] });
    await vscode.runCommand('dynamo.generateHere');
    assert.equal(vscode.document.getText(), 'def add(a, b):\n    x = a + b\n\n');
  });

  it('at the cursor writes the document’s line breaks, and fences as they are', async () => {
    const pieces = ['\n```sh\nnpm test\n```\n', 'Done.'];
    const vscode = begin('Run:|', { pieces }, { language: 'markdown', eol: '\r\n' });
    await vscode.runCommand('dynamo.generateHere');
    const written = 'Run:\r\n```sh\r\nnpm test\r\n```\r\nDone.';
    assert.equal(vscode.document.getText(), written);
  });

  it('is decoded as the settings say', async () => {
    const vscode = begin('a|', { pieces: ['b'] });
    vscode.configure('dynamo.mode', 'fast');
    vscode.configure('dynamo.fast.topK', 7);
    vscode.configure('dynamo.lookup', false);
    await vscode.runCommand('dynamo.generateHere');
    const [request] = requests;
    assert.equal(request?.mode, 'fast');
    assert.equal(request?.fast?.topK, 7);
    assert.deepEqual(request?.drafts, { lookup: false });
  });

  const SELECTION = 'a = 1\nb = 2\nc = 3';

  function rewrite(written: Written, options = {}) {
    const vscode = begin(`# Numbers\n${SELECTION}\n# End\n`, written, options);
    vscode.select(10, 10 + SELECTION.length);
    vscode.script.answer = () => 'add one';
    return vscode;
  }

  it('takes the place of a selection that is rewritten', async () => {
    const vscode = rewrite({ pieces: ['a = 2\n', 'b = 3\n', 'c = 4\n```', '\nThere.'] });
    await vscode.runCommand('dynamo.rewriteSelection');
    assert.equal(vscode.document.getText(), '# Numbers\na = 2\nb = 3\nc = 4\n# End\n');
    assert.deepEqual(vscode.script.told, []);
    await vscode.commands.executeCommand('undo');
    assert.equal(vscode.document.getText(), `# Numbers\n${SELECTION}\n# End\n`);
  });

  it('has room for an answer as long as the selection', async () => {
    const long = 'x = 1\n'.repeat(500);
    const vscode = begin(long, { pieces: ['y'] });
    vscode.select(0, long.length);
    vscode.script.answer = () => 'add one';
    await vscode.runCommand('dynamo.rewriteSelection');
    assert.ok((requests[0]?.maxTokens ?? 0) >= long.length);
  });

  it('does not begin with a selection that no context holds', async () => {
    const long = 'x = 1\n'.repeat(5000);
    const vscode = begin(long, { pieces: ['y'] });
    vscode.select(0, long.length);
    vscode.script.answer = () => 'add one';
    await vscode.runCommand('dynamo.rewriteSelection');
    assert.deepEqual(requests, []);
    assert.match(vscode.script.told.join(), /too long.*Select less/);
  });

  for (const stopReason of ['maxTokens', 'context']) {
    it(`puts a selection back that was not rewritten to its end: ${stopReason}`, async () => {
      const vscode = rewrite({ pieces: ['a = 2\n', 'b'], stopReason });
      await vscode.runCommand('dynamo.rewriteSelection');
      assert.equal(vscode.document.getText(), `# Numbers\n${SELECTION}\n# End\n`);
      assert.match(vscode.script.told.join(), /selection is as it was/);
      await vscode.commands.executeCommand('undo');
      assert.equal(vscode.document.getText(), `# Numbers\n${SELECTION}\n# End\n`);
    });
  }

  it('puts a selection back when an error ends it, and says which', async () => {
    const vscode = rewrite({ pieces: ['a = 2\n', 'b'], error: new Error('It died.') });
    await vscode.runCommand('dynamo.rewriteSelection');
    assert.equal(vscode.document.getText(), `# Numbers\n${SELECTION}\n# End\n`);
    assert.match(vscode.script.told.join(), /It died\. The selection is as it was/);
  });

  it('keeps what was written at the cursor when an error ends it', async () => {
    const vscode = begin('a|', { pieces: ['b'], error: new Error('It died.') });
    await vscode.runCommand('dynamo.generateHere');
    assert.equal(vscode.document.getText(), 'ab');
    assert.deepEqual(vscode.script.told, ['DynaMo: It died.']);
  });

  it('rewrites a text with the fences that are in it', async () => {
    const text = '# Numbers\n\n```py\na = 1\n```\n\nThe end.';
    const vscode = rewrite({ pieces: [text] }, { language: 'markdown' });
    await vscode.runCommand('dynamo.rewriteSelection');
    assert.equal(vscode.document.getText(), `# Numbers\n${text}\n# End\n`);
  });

  for (const command of ['generateFromInstruction', 'rewriteSelection']) {
    it(`does not begin where the document has changed while the user was asked: ${command}`, async () => {
      const vscode = rewrite({ pieces: ['y'] });
      vscode.script.answer = () => {
        vscode.insert(0, '#\n');
        return 'add one';
      };
      await vscode.runCommand(`dynamo.${command}`);
      assert.deepEqual(requests, []);
      assert.match(vscode.script.told.join(), /changed meanwhile/);
    });
  }

  it('is one at a time, however quickly the command comes again', async () => {
    const vscode = begin('a|', { pieces: ['b'] });
    const generateHere = () => vscode.runCommand('dynamo.generateHere');
    const twice = Promise.all([generateHere(), Promise.race([generateHere(), undefined])]);
    await twice;
    assert.equal(requests.length, 1);
    assert.match(vscode.script.told.join(), /generated already/);
    await generateHere();
    assert.equal(vscode.document.getText(), 'abb');
  });

  it('can be cancelled where it writes, and nowhere else', async () => {
    const vscode = begin('a|', { pieces: ['b', 'c'] });
    const { contexts } = vscode.script;
    const done = vscode.runCommand('dynamo.generateHere');
    while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok((contexts['dynamo.generating'] as string[]).includes('/a.py'));
    await vscode.runCommand('dynamo.cancelGeneration');
    await done;
    assert.equal(vscode.document.getText(), 'ab');
    assert.equal(contexts['dynamo.generating'], false);
  });

  const cellUri = () => new built.parts.vscode.Uri('vscode-notebook-cell', '/book.ipynb');

  it('writes in a cell of a notebook', async () => {
    const vscode = begin('a|', { pieces: ['b'] }, { uri: cellUri() });
    const getCells = () => [{ document: vscode.document }];
    vscode.script.notebooks = [{ uri: new vscode.Uri('untitled', '/book.ipynb'), getCells }];
    vscode.script.stat = () => {
      throw new Error('There is no such file.');
    };
    await vscode.runCommand('dynamo.generateHere');
    assert.equal(vscode.document.getText(), 'ab');
  });

  it('does not write in a cell of a notebook that is read-only', async () => {
    const vscode = begin('a|', { pieces: ['b'] }, { uri: cellUri() });
    const getCells = () => [{ document: vscode.document }];
    vscode.script.notebooks = [{ uri: new vscode.Uri('vscode-vfs', '/book.ipynb'), getCells }];
    vscode.script.writable = (scheme) => (scheme === 'vscode-vfs' ? false : undefined);
    await Promise.race([vscode.runCommand('dynamo.generateHere'), undefined]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(vscode.document.getText(), 'a');
    assert.match(vscode.script.told.join(), /read-only/);
  });
});
