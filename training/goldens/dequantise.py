"""Writes test/fixtures/dequantise.json: quantised blocks and the float32 values that they mean.

The values come from `gguf.dequantize`, the reference that the TypeScript decoder must equal bit for
bit. Blocks are random bytes, so every bit of every field counts; their half-precision scales are
set apart, because random ones are mostly huge: ordinary, the largest, the smallest subnormal,
negative and zero ones occur.

    python training/goldens/dequantise.py
"""

import base64
import json
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

TARGET = Path(__file__).parents[2] / "test" / "fixtures" / "dequantise.json"

# Type -> byte offsets of its half-precision fields within a block.
HALF_FIELDS = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
}
SCALES = [0.0123, -1.75, 65504.0, 2.0**-24, 0.0, -(2.0**-15)]


def quantised(name: str, rng: np.random.Generator) -> np.ndarray:
    """One block a scale, [blocks, block bytes]; the fields of a block take different scales."""
    _, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    blocks = rng.integers(0, 256, (len(SCALES), block_bytes), dtype=np.uint8)
    for index, field in enumerate(HALF_FIELDS[name]):
        scales = np.roll(np.array(SCALES, dtype=np.float16), index)
        blocks[:, field : field + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks


def plain(name: str, rng: np.random.Generator) -> np.ndarray:
    """Values of an unquantised type as bytes, [1, bytes]: ordinary, extreme and special ones."""
    special = [0.0, -0.0, 1.0, -1.0, 65504.0, 2.0**-24, 2.0**-14, np.inf, -np.inf]
    values = np.concatenate([special, rng.normal(size=23)]).astype(np.float32)
    if name == "F16":
        raw = values.astype(np.float16).view(np.uint8)
    elif name == "BF16":
        raw = (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        raw = values.view(np.uint8)
    return raw.reshape(1, -1)


def main() -> None:
    rng = np.random.default_rng(20261123)
    cases = []
    for name in [*HALF_FIELDS, "F16", "BF16", "F32"]:
        blocks = quantised(name, rng) if name in HALF_FIELDS else plain(name, rng)
        if name == "F32":  # the package's own function expects float32 data there
            values = blocks.view(np.float32)
        elif name == "F16":
            values = blocks.view(np.float16).astype(np.float32)
        else:
            values = dequantize(blocks, GGMLQuantizationType[name])
        cases.append(
            {
                "type": int(GGMLQuantizationType[name]),
                "name": name,
                "blocks": base64.b64encode(blocks.tobytes()).decode(),
                "values": base64.b64encode(values.astype("<f4").tobytes()).decode(),
            }
        )
    TARGET.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
