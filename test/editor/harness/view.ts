/** The threshold view's page inside a window of VS Code. */
import assert from 'node:assert/strict';
import type { Frame } from 'playwright-core';
import type { EditorWindow } from './window';

/** The frame that has drawn the view; it is another one whenever the panel is shown anew. */
export async function viewFrame(window: EditorWindow): Promise<Frame> {
  const found = await window.until(
    'view',
    async () => {
      for (const frame of window.page.frames()) {
        const drawn = await frame
          .locator('#view[data-drawn]')
          .count()
          .catch(() => 0);
        if (drawn > 0) return frame;
      }
      return undefined;
    },
    (frame) => frame !== undefined,
  );
  assert.ok(found);
  return found;
}
