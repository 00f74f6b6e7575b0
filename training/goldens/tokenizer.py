"""Token ids of a corpus for all three models, as the `tokenizers` library gives them.

The tokenizers are built here from the GGUF files with that library's own components (the split
pattern from `transformers`' Qwen2 tokenizer, SmolLM2's published `Digits` and `ByteLevel` pair),
so that nothing is shared with the TypeScript that the ids are compared with. `transformers`' own
GGUF conversion is not used: it leaves out Qwen2's NFC normalizer and SmolLM2's digit split.

    python training/goldens/tokenizer.py GGUF_FOLDER

writes test/fixtures/tokenizer-golden.json. Texts are written as specifications, so that the long
ones stay small: a string, {"repeat": [text, n]}, {"words": [seed, n]} or a list of these, joined.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

OUTPUT = Path(__file__).parents[2] / "test/fixtures/tokenizer-golden.json"
FILES = {
    "smollm2-135m": ["smollm2-135m.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"],
    "qwen2.5-coder-0.5b": ["qwen2.5-coder-0.5b.gguf", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"],
    "qwen2.5-coder-1.5b": ["qwen2.5-coder-1.5b.gguf", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"],
}
LONGEST_LISTED = 96
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

PYTHON = 'class Point:\n    """A point."""\n\n    def __init__(self, x=0, y=0):\n        self.x, self.y = x, y\n'
TYPESCRIPT = "export const sum = (xs: readonly number[]): number =>\n\txs.reduce((a, b) => a + b, 0);\n"
RUST = "fn main() {\n    let v: Vec<u32> = (0..10).filter(|n| n % 2 == 0).collect();\n    println!(\"{v:?}\");\n}\n"
C = '#include <stdio.h>\r\n\r\nint main(void) {\r\n\tprintf("%d\\n", 0x1F);\r\n\treturn 0;\r\n}\r\n'
HTML = '<!DOCTYPE html>\n<a href="#x" class=\'y\'>&nbsp;</a><!-- -->\n<script>let s = `${1}`;</script>\n'
SHELL = "for f in *.txt; do\n  grep -q 'x' \"$f\" && echo \"${f%.txt}\" >> out 2>&1\ndone\n"
SQL = "SELECT a.id, COUNT(*) FROM t AS a WHERE a.n >= 10 GROUP BY 1;\n"
FAMILY = "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466"

TEXTS = {
    "empty": "",
    "one space": " ",
    "one newline": "\n",
    "plain": "Hello, world! It's what they'd say: WE'LL see, I'M sure.",
    "contractions in odd case": "don'T I'Ve '\u017fx 'll'LL \u2019s x'sx",
    "crlf": "a\r\nb\r\n\r\n  c\r\n",
    "lone carriage returns": "a\rb\r\rc \r d",
    "tabs": "\tif x:\n\t\ty\t=\t1\t\n \t z",
    "spaces and newlines": "a  b   c    d\n\n\n  e \n \n   f   ",
    "spaces before a word": "x        y                y",
    "other white space": "a\u00a0b\u2003c\u3000d\u0085e\ufefff\u200bg\u2028h\u2029i\x0bj\x0ck\u1680l",
    "digits": "1 12 123 1234567890 3.14159e-10 0xDEADBEEF 1_000_000",
    "other digits": "\u0663\u0664 \u00b2\u00bd\u2167 \u0967\u0968 \U0001d7d8 \u4e00\u4e8c \u2460x",
    "punctuation": "a->b::c(){}[];!@#$%^&*()_+-=~`|\\:\";'<>?,./ ... --- === !== ?? ?.",
    "emoji": f"ok \U0001F600{FAMILY} \U0001F1E9\U0001F1EA \u2764\ufe0f \U0001F44D\U0001F3FD 1\ufe0f\u20e3!",
    "chinese": "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u51fd\u6570\u8fd4\u56de\u4e00\u4e2a\u503c\u3002\U00020000\U0002A6D6",
    "japanese and korean": "\u95a2\u6570\u3092\u5b9a\u7fa9\u3059\u308b \ud568\uc218\ub97c \uc815\uc758\ud55c\ub2e4",
    "decomposed korean": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0661\u0662\u0663\u060c \u0642\u064e\u0627\u0644\u064e",
    "hebrew, hindi, thai": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "composed": "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m \u1ec7",
    "decomposed": "cafe\u0301 nai\u0308ve A\u030angstro\u0308m e\u0323\u0302 e\u0302\u0323",
    "compatibility": "\u2126 \u212b \u212a \ufb01 \uf900 \u0344 \u0958 \u2adc",
    "combining pile": "Z\u0351\u036b\u0343\u036aa\u0300\u0301\u0302\u0316\u0317l",
    "control characters": "a\x00b\x01\x04\x06\x7fc =\x04= (\x06) \x1b[0m",
    "rare planes": "\U00010348\U0001F9FF\U000E0041\U0010FFFD \U00040000",
    "unassigned and private": "\ue000\U000F0000\ufffd",
    "control-token look-alikes": "<|endoftext|> <|im_start|>user<|im_end|> <|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
    "more look-alikes": "<repo_name>x<file_sep> <tool_call>{}</tool_call> [PAD151665] <|fim_pad|><| fim |>",
    "byte-alphabet look-alikes": "\u0120\u010a\u0100 \u0120the \u00ac\u00ad\u00ae",
    "object members": "__proto__ constructor toString hasOwnProperty",
    "python": PYTHON,
    "typescript": TYPESCRIPT,
    "rust": RUST,
    "c with crlf": C,
    "html": HTML,
    "shell": SHELL,
    "sql": SQL,
    "long line of one letter": {"repeat": ["a", 10000]},
    "long line of words": {"words": [1, 1800]},
    "long line without spaces": {"repeat": ["x1,y_2;", 1500]},
    "long line of chinese": {"repeat": ["\u4e2d\u6587\u5b57\u7b26\u4e32", 2000]},
    "long line of punctuation": {"repeat": ["=-", 5000]},
    "long run of spaces": ["a", {"repeat": [" ", 10000]}, "b"],
    "long run of newlines": ["a", {"repeat": ["\n", 5000]}, "b"],
    "blank lines with spaces": ["a", {"repeat": [" \n", 3000]}, "b"],
    "long run of tabs": ["a", {"repeat": ["\t", 3000]}],
    "many families": {"repeat": [FAMILY, 500]},
    "many combining marks": {"repeat": ["e\u0323\u0302", 2000]},
    "many digits": {"repeat": ["0123456789", 1000]},
    "a long file": {"repeat": [PYTHON + TYPESCRIPT + RUST + C + HTML + SHELL + SQL, 60]},
    "many lines of words": [{"words": [2, 3000]}, "\r\n", {"words": [3, 3000]}],
}
PARSED = ["control-token look-alikes", "more look-alikes", "plain"]


def expand(spec) -> str:
    if isinstance(spec, str):
        return spec
    if isinstance(spec, list):
        return "".join(expand(part) for part in spec)
    if "repeat" in spec:
        text, count = spec["repeat"]
        return text * count
    seed, count = spec["words"]
    state, words = seed, []
    for _ in range(count):
        letters = []
        state = (state * 1664525 + 1013904223) % 2**32
        for _ in range(1 + (state >> 16) % 9):
            state = (state * 1664525 + 1013904223) % 2**32
            letters.append(chr(97 + (state >> 16) % 26))
        words.append("".join(letters))
    return " ".join(words)


def build(path: Path, qwen: bool, parse_controls: bool) -> Tokenizer:
    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    # The published files keep SmolLM2's control tokens in the vocabulary and Qwen's outside it;
    # whole here, so that added tokens keep their ids.
    vocab = {token: index for index, token in enumerate(tokens) if types[index] in (NORMAL, CONTROL, USER_DEFINED)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, fuse_unk=False, byte_fallback=False))
    if qwen:
        tokenizer.normalizer = normalizers.NFC()
        parts = [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    else:
        parts = [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    if parse_controls:
        for index, token in enumerate(tokens):
            if types[index] in (CONTROL, USER_DEFINED):
                added = AddedToken(token, normalized=False, special=types[index] == CONTROL)
                (tokenizer.add_special_tokens if added.special else tokenizer.add_tokens)([added])
                assert tokenizer.token_to_id(token) == index
    return tokenizer


def record(ids: list[int]):
    if len(ids) <= LONGEST_LISTED:
        return ids
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
    return {"count": len(ids), "sha256": digest}


def goldens(path: Path, qwen: bool) -> dict:
    plain, parsing = build(path, qwen, False), build(path, qwen, True)
    # Control tokens as text, the other way: the same ids from a tokenizer that knows them.
    parsing.encode_special_tokens = True
    text = expand(TEXTS["control-token look-alikes"])
    assert parsing.encode(text).ids == plain.encode(text).ids
    parsing.encode_special_tokens = False
    fields = GGUFReader(path).fields
    types = fields["tokenizer.ggml.token_type"].contents()
    tokens = fields["tokenizer.ggml.tokens"].contents()
    return {
        "vocabularySize": max(i for i, t in enumerate(types) if t in (NORMAL, CONTROL, USER_DEFINED)) + 1,
        "controls": {tokens[i]: i for i, t in enumerate(types) if t == CONTROL},
        "plain": {name: record(plain.encode(expand(spec)).ids) for name, spec in TEXTS.items()},
        "parsed": {name: record(parsing.encode(expand(TEXTS[name])).ids) for name in PARSED},
    }


def main() -> None:
    folder = Path(sys.argv[1])
    found, result = {}, {}
    for model, names in FILES.items():
        path = next((folder / name for name in names if (folder / name).exists()), None)
        if path is None:
            sys.exit(f"{folder} holds none of {', '.join(names)}: put the catalogued GGUF file there.")
        golden = goldens(path, qwen=model.startswith("qwen"))
        same = next((other for other, known in found.items() if known == golden), None)
        found[model] = golden
        result[model] = {"sameAs": same} if same else golden
    lines = json.dumps({"texts": TEXTS, "models": result}, ensure_ascii=True, indent=1)
    OUTPUT.write_text(compact(lines) + "\n")


def compact(text: str) -> str:
    """Lists of numbers on one line each."""
    return re.sub(r"\[[\s\d,]*\]", lambda m: "[" + ",".join(m.group(0)[1:-1].split()).replace(",,", ",") + "]", text)


if __name__ == "__main__":
    main()
