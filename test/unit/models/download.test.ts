import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DownloadOptions } from '../../../src/models/download';
import { downloadFile } from '../../../src/models/download';
import { ModelError } from '../../../src/models/errors';

const content = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => i % 253));

describe('downloadFile', function () {
  this.timeout(30_000);
  let folder: string;
  let part: string;
  let url: string;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let ranges: (string | undefined)[];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dynamo-download-'));
    part = join(folder, 'part');
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    url = `http://127.0.0.1:${address.port}/file`;
  });
  beforeEach(async () => {
    ranges = [];
    answer = serve;
    await rm(part, { force: true });
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  const start = (request: IncomingMessage) =>
    Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);

  function serve(request: IncomingMessage, response: ServerResponse, upTo = content.length) {
    const from = start(request);
    const headers = { 'content-length': content.length - from };
    if (from === 0) response.writeHead(200, headers);
    else {
      const range = `bytes ${from}-${content.length - 1}/${content.length}`;
      response.writeHead(206, { ...headers, 'content-range': range });
    }
    if (upTo === content.length) response.end(content.subarray(from));
    else response.write(content.subarray(from, upTo));
  }
  /** Sends up to a byte and breaks the connection. */
  function breakAt(request: IncomingMessage, response: ServerResponse, at: number) {
    serve(request, response, at);
    setTimeout(() => response.destroy(), 50);
  }
  const download = (options: DownloadOptions = {}) =>
    downloadFile(url, part, content.length, { firstByteMs: 3_000, stallMs: 3_000, ...options });
  const downloaded = async () => assert.deepEqual(await readFile(part), content);

  it('fetches a file and reports its bytes', async () => {
    const reports: number[] = [];
    await download({ onProgress: (bytes) => void reports.push(bytes) });
    await downloaded();
    assert.equal(reports.at(-1), content.length);
    assert.deepEqual(ranges, [undefined]);
  });

  it('resumes where an earlier attempt stopped', async () => {
    await writeFile(part, content.subarray(0, 40_000));
    await download();
    await downloaded();
    assert.deepEqual(ranges, ['bytes=40000-']);
  });

  it('asks for nothing when everything is here', async () => {
    await writeFile(part, content);
    await download();
    assert.deepEqual(ranges, []);
  });

  it('starts over when the part is longer than the file', async () => {
    await writeFile(part, Buffer.alloc(content.length + 1));
    await download();
    await downloaded();
  });

  it('starts over when the server ignores ranges', async () => {
    await writeFile(part, Buffer.alloc(40_000));
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.end(content);
    };
    await download();
    await downloaded();
    assert.deepEqual(ranges, ['bytes=40000-']);
  });

  it('starts over when the server does not have the range', async () => {
    await writeFile(part, Buffer.alloc(40_000));
    answer = (request, response) => {
      if (start(request) > 0) response.writeHead(416).end();
      else serve(request, response);
    };
    // Nothing came of the first attempt, so this one reports it; the next begins at zero.
    await download().catch(() => download());
    await downloaded();
  });

  it('takes up a broken connection by itself', async () => {
    answer = (request, response) => {
      const from = start(request);
      if (from < 90_000) breakAt(request, response, from + 30_000);
      else serve(request, response);
    };
    await download();
    await downloaded();
    assert.ok(ranges.length >= 4);
  });

  it('keeps what came when the connection breaks for good', async () => {
    answer = (request, response) => {
      if (start(request) === 0) breakAt(request, response, 30_000);
      else response.destroy();
    };
    await assert.rejects(download(), ModelError);
    assert.deepEqual(await readFile(part), content.subarray(0, 30_000));
  });

  it('refuses a file of another length, and one that does not end', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 5 }).end('hello');
    };
    await assert.rejects(download(), /offers a file of 5 bytes instead of 100000/);
    answer = (_, response) => {
      response.writeHead(200); // no length: chunked
      response.end(Buffer.concat([content, content]));
    };
    await assert.rejects(download(), /more than the 100000 bytes/);
  });

  it('refuses a range that it did not ask for', async () => {
    for (const range of ['bytes 0-99999/100000', 'bytes 40000-99999/100001', 'nonsense']) {
      await writeFile(part, content.subarray(0, 40_000));
      answer = (_, response) => {
        response.writeHead(206, { 'content-range': range }).end(content.subarray(40_000));
      };
      await assert.rejects(download(), /wrong range|instead of 100000/, range);
      assert.deepEqual(await readFile(part), content.subarray(0, 40_000));
    }
  });

  it('says which HTTP status it got', async () => {
    for (const status of [401, 403, 404, 500, 503]) {
      answer = (_, response) => {
        response.writeHead(status).end('sorry');
      };
      await assert.rejects(download(), new RegExp(`HTTP status ${status}`));
    }
  });

  it('gives up on a server that does not answer, and on one that falls silent', async () => {
    answer = () => undefined;
    await assert.rejects(download({ firstByteMs: 60 }), /no answer for 0.06 s/);
    answer = (request, response) => serve(request, response, Math.max(start(request), 1_000));
    await assert.rejects(download({ stallMs: 60 }), /no more data for 0.06 s/);
  });

  it('says why a server cannot be reached', async () => {
    const closed = createServer();
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done));
    const address = closed.address();
    assert.ok(typeof address === 'object' && address !== null);
    await new Promise((done) => closed.close(done));
    const nowhere = `http://127.0.0.1:${address.port}/`;
    await assert.rejects(downloadFile(nowhere, part, 10), /ECONNREFUSED/);
  });

  it('stops at once when aborted, with the reason, and keeps what came', async () => {
    answer = (request, response) => serve(request, response, 30_000);
    const controller = new AbortController();
    const reason = new Error('stop it');
    const onProgress = (bytes: number) => bytes === 30_000 && controller.abort(reason);
    await assert.rejects(download({ signal: controller.signal, onProgress }), reason);
    assert.equal((await readFile(part)).length, 30_000);
    await assert.rejects(download({ signal: controller.signal }), reason);
  });
});
