/**
 * Whether this processor's uint8 × int8 products saturate, as those of x86 processors without VNNI do.
 *
 * Asked of the processor itself, by a product that would: Node cannot tell what a processor has. The
 * remedy costs a processor that does not need it a quarter of its speed and seconds of loading.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import probe from '../../models/saturation-probe.onnx';

/** Values of the probe's row; see training/dynamo_training/export/probe.py. */
const SIZE = 64;
const EXACT = 127 * 127 * SIZE;

let found: Promise<boolean> | undefined;

/** Asked once a process. */
export function productsSaturate(): Promise<boolean> {
  return (found ??= ask());
}

async function ask(): Promise<boolean> {
  if (process.arch !== 'x64') return false;
  const session = await InferenceSession.create(probe, { intraOpNumThreads: 1 });
  try {
    const rows = new Tensor('uint8', new Uint8Array(SIZE).fill(255), [1, SIZE]);
    const { products } = await session.run({ rows });
    return products?.data[0] !== EXACT;
  } finally {
    await session.release();
  }
}
