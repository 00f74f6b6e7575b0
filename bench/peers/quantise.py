"""Q4_0 from another GGUF file, by the peer's own quantiser (llama.cpp's, in the package that peers.mjs
installs): python3 bench/peers/quantise.py IN.gguf OUT.gguf"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
DEFAULT_TYPE, Q4_0 = 7, 2  # of llama.h's enum llama_ftype; the default is Q8_0


class Parameters(ctypes.Structure):
    """The first fields of llama_model_quantize_params, and room for those behind them."""

    _fields_ = [
        ("threads", ctypes.c_int32),
        ("type", ctypes.c_int32),
        ("output_type", ctypes.c_int32),
        ("embedding_type", ctypes.c_int32),
        ("allow_requantize", ctypes.c_bool),
        ("others", ctypes.c_uint8 * 239),
    ]


def main(source: str, target: str) -> int:
    for name in ("libggml-base.so", "libggml.v0.5.0.so", "libllama.v0.5.0.so"):
        library = ctypes.CDLL(str(FOLDER / name), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(str(FOLDER / "libggml.v0.5.0.so"))
    ggml.ggml_backend_load_all_from_path(str(FOLDER).encode())
    library.llama_model_quantize_default_params.restype = Parameters
    parameters = library.llama_model_quantize_default_params()
    if parameters.type != DEFAULT_TYPE or parameters.allow_requantize:
        raise SystemExit("This llama.cpp lays its parameters out otherwise.")
    parameters.type, parameters.allow_requantize, parameters.threads = Q4_0, True, 2
    library.llama_model_quantize.restype = ctypes.c_uint32
    failed = library.llama_model_quantize(
        source.encode(), target.encode(), ctypes.byref(parameters)
    )
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
