/** Small graphs that are bundled as bytes (esbuild.mjs). */
declare module '*.onnx' {
  const bytes: Uint8Array;
  export default bytes;
}
