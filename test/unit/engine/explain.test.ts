import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../../../src/engine/errors';
import { explain, explainDevice, explainLoading } from '../../../src/engine/explain';

const model = (folder: string) =>
  ({
    id: 'm',
    precision: 'int8',
    graph: join(folder, 'graph.onnx'),
    weights: join(folder, 'weights.bin'),
    tokenizer: join(folder, 'tokenizer.json'),
    contextLength: 100,
    prompt: { stop: [] },
  }) as const;

describe('an error of the engine', () => {
  it('that is one already stays what it is', () => {
    const error = new EngineError('deadline', 'late');
    assert.equal(explain(error), error);
    assert.equal(explainLoading(model('/nowhere'), error), error);
  });

  for (const message of [
    'Array buffer allocation failed', // V8
    'std::bad_alloc',
    'bad allocation', // Windows
    'Failed to allocate memory for requested buffer of size 544997376', // ONNX Runtime
    'ENOMEM: not enough memory, read',
  ]) {
    it(`says that memory is short when it hears "${message}"`, () => {
      for (const error of [
        explain(new RangeError(message)),
        explainLoading(model('/nowhere'), new Error(message)),
      ]) {
        assert.equal(error.code, 'memory');
        assert.match(error.message, /not enough memory .*smaller model/);
      }
    });
  }

  it('of other kinds is the request’s or the model’s', () => {
    assert.equal(explain(new RangeError('The context is full.')).code, 'badRequest');
    assert.equal(explain(new Error('nonsense')).code, 'model');
    assert.equal(explain('text').message, 'text');
  });

  it('on a GPU is the GPU’s, but for what the caller or the request did', () => {
    const gpu = { name: 'dml', device: 1 } as const;
    const lost = new Error('887A0005 The GPU device instance has been suspended.');
    const told = explainDevice(gpu, lost);
    assert.ok(told instanceof EngineError);
    assert.equal(told.code, 'device');
    assert.match(told.message, /^The GPU \(DirectML, device 1\) failed: 887A0005/);
    const cuda = { name: 'cuda', device: 0 } as const;
    const pages = `/onnxruntime_src/cuda_call.cc:154 std::conditional_t<THRW, void> CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=vm`;
    assert.equal(
      (explainDevice(cuda, new Error(pages)) as EngineError).message,
      'The GPU (CUDA, device 0) failed: CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version',
    );
    const noLibrary = new Error(
      'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library',
    );
    assert.match(
      (explainDevice(cuda, noLibrary) as EngineError).message,
      /cannot be used: CUDA 13/,
    );
    const full = explainDevice(gpu, new Error('CUDA failure 2: out of memory'));
    assert.ok(full instanceof EngineError && full.code === 'memory');
    for (const error of [new RangeError('The context is full.'), new EngineError('deadline', '')]) {
      assert.equal(explainDevice(gpu, error), error);
    }
    assert.equal(explainDevice({ name: 'cpu', device: 0 }, lost), lost);
  });

  it('of loading names the file that is gone, and says what to do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dynamo-explain-'));
    const files = model(folder);
    writeFileSync(files.graph, '');
    writeFileSync(files.tokenizer, '');
    const lost = explainLoading(files, new Error('open failed'));
    assert.equal(lost.code, 'model');
    assert.match(
      lost.message,
      /^The model m is not complete any more: .*weights\.bin is missing\. Install/,
    );
    writeFileSync(files.weights, '');
    const damaged = explainLoading(files, new Error('Protobuf parsing failed.'));
    assert.match(
      damaged.message,
      /cannot be loaded: Protobuf parsing failed\. Run "models verify"/,
    );
    rmSync(folder, { recursive: true });
  });
});
