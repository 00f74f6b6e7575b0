/** Fetching CUDA's files from the editor: they are large, so it asks first. */
import * as vscode from 'vscode';
import { messageOf } from '../models/errors';
import { inNotification, show } from './progress';
import type { Session } from './session';
import { dataHome } from './settings';

const ALREADY = 'The CUDA files are being fetched already.';

export class GpuFiles implements vscode.Disposable {
  readonly #command: vscode.Disposable;
  #abort: AbortController | undefined;

  constructor(private readonly session: Session) {
    this.#command = vscode.commands.registerCommand('dynamo.installGpuFiles', () => this.#ask());
  }

  dispose(): void {
    this.#abort?.abort(new Error('The editor is closing.'));
    this.#command.dispose();
  }

  async #ask(): Promise<void> {
    if (this.#abort) return show(ALREADY);
    const { CUDA_BYTES } = await import('../models/cuda-files');
    const { formatBytes } = await import('../models/files');
    const fetch = 'Fetch';
    const chosen = await vscode.window.showInformationMessage(
      `Fetch what an NVIDIA GPU needs? It takes up to ${formatBytes(CUDA_BYTES)} of disk.`,
      {
        modal: true,
        detail:
          'For Linux on x64 with an NVIDIA driver of version 580 or newer. pip downloads the packages onnxruntime-gpu, nvidia-cublas, nvidia-cuda-runtime and nvidia-curand from the Python package index; nothing of them is run. Libraries that the system has are not fetched.',
      },
      fetch,
    );
    if (chosen === fetch) await this.#fetch();
  }

  async #fetch(): Promise<void> {
    if (this.#abort) return show(ALREADY); // Begun since the user was asked.
    const abort = new AbortController();
    this.#abort = abort;
    const { session } = this;
    try {
      const [{ installCuda }, { locateRuntime }] = await Promise.all([
        import('../models/cuda-files'),
        import('../engine/cuda-link'),
      ]);
      const options = {
        home: await dataHome(),
        runtime: locateRuntime(session.worker).version,
        signal: abort.signal,
      };
      const { folder } = await inNotification('fetching CUDA files', abort, (onProgress) =>
        installCuda({ ...options, onProgress }),
      );
      session.log.info(`The CUDA files are in ${folder}.`);
      await session.restart(); // The next engine looks for GPUs anew.
      session.warm();
      const install = 'Install Model...';
      void vscode.window
        .showInformationMessage(
          'DynaMo: The CUDA files are there. A model that is installed now gets what a GPU needs as well.',
          install,
        )
        .then((chosen) => {
          if (chosen) void vscode.commands.executeCommand('dynamo.installModel');
        });
    } catch (error) {
      if (abort.signal.aborted) {
        void show('Cancelled. Whole files are kept for the next time.');
        return;
      }
      const message = messageOf(error);
      session.log.error(message);
      void vscode.window.showErrorMessage(`DynaMo: ${message}`);
    } finally {
      this.#abort = undefined;
    }
  }
}
