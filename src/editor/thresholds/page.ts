/** The page of the threshold view: nothing but its bundle, under the strictest policy that runs it. */

export interface PageParts {
  /** What the webview calls its own origin, see `Webview.cspSource`. */
  readonly source: string;
  readonly script: string;
  readonly style: string;
  /** New for every page. */
  readonly nonce: string;
}

/** Nothing is loaded from elsewhere, and no script runs but the bundle. */
export function pageHtml({ source, script, style, nonce }: PageParts): string {
  const policy = `default-src 'none'; style-src ${source}; script-src 'nonce-${nonce}';`;
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Threshold view</title>
    <link rel="stylesheet" href="${style}" />
  </head>
  <body>
    <div id="view"></div>
    <script nonce="${nonce}" src="${script}"></script>
  </body>
</html>`;
}
