/** A sample of what test/fuzz/ does with thousands of inputs. */
import assert from 'node:assert/strict';
import { fuzz } from '../fuzz/fuzz';
import { openReaders } from '../fuzz/readers';

describe('damaged inputs', function () {
  this.timeout(120_000);
  const { readers, close } = openReaders();
  after(close);

  for (const reader of readers) {
    it(`are read or refused: ${reader.name}`, async () => {
      const { accepted, refused, failures } = await fuzz(reader, 300, 1);
      assert.deepEqual(failures, []);
      assert.equal(accepted + refused, 300);
    });
  }
});
