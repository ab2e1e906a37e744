# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""Makes small-merges.txt, small-tokenizer.json and small-cases.jsonl in this folder.

The merges are learned from the sentences below; the ids of the cases are those of ftfy (without
its repair of broken encodings), html.unescape and OpenCLIP's pattern in the regex module, and of
the tokenizers library with the rules of CLIP.

pip install ftfy==6.3.1 regex tokenizers==0.23.3; python make_small.py
"""
import collections
import html
import json
import os

import ftfy
import regex
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

HERE = os.path.dirname(os.path.abspath(__file__))
MERGES = 240
CORPUS = """a satellite photo of an airport with two planes near the runways and the terminal building
several storage tanks are standing beside the harbour and many boats are in the harbour
the river is winding through the green fields and the dense forest near the town
many buildings and some green trees are around the square in the commercial area
it's the harbour's edge we'll see they've gone don't stop I'm here they're he'd
the baseball field is surrounded by roads and rows of trees a white church stands on the corner
ships and containers in the port a bridge over the river cars on the road and in the parking lot
Zürich naïve façade café Größe 東京の空港 аэропорт у моря 😀 🛰️ photo photos photograph"""

TEXTS = [
    '',
    '   ',
    '\t\r\n',
    'A satellite PHOTO of an airport.',
    'several storage tanks',
    "don't stop: it's the harbour's edge, we'll see they've gone",
    "I'M HERE, HE'D GO; THEY'RE",
    'It\u2019s \u2018curly\u2019 \u201cquotes\u201d',
    "'\u017f 's 'S 'l 'r 'v 'll'",
    "!'s ''s '",
    '12,345.67 m\xb2 at 45\xb0N \xbd \u2163 \u0663',
    'Z\xfcrich na\xefve fa\xe7ade',
    'e\u0301 cafe\u0301 a\u0323\u0302 a\u0302\u0323',
    '\u0301',
    '=\u0338 \u0338',
    'Gr\xf6\xdfe \xdf \u1e9e',
    '\u0130stanbul \u015eEH\u0130R \u0131I',
    '\u0391\u03a3 \u03a3\u0391\u03a3. \u1f48\u0394\u03a5\u03a3\u03a3\u0395\u038e\u03a3 \u03a3',
    '\u6771\u4eac\u306e\u7a7a\u6e2f',
    '\u5404 \ud55c\uad6d\uc5b4 \u1100\u1161\u11a8 \uac00\u11a8',
    '\u0430\u044d\u0440\u043e\u043f\u043e\u0440\u0442 \u0443 \u043c\u043e\u0440\u044f',
    '\u0645\u0637\u0627\u0631 \u0643\u0628\u064a\u0631',
    '\U0001f6f0\ufe0f image of \U0001f33e fields',
    '\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f',
    'a&amp;b &lt;tag&gt; caf&eacute;',
    '&amp;amp;amp;lt; &AMP;AMP; P&EACUTE;REZ BUNDESSTRA&SZLIG;E',
    '<b>&rsquo;&amp;amp;amp;</b>\n&rsquo;',
    'ok &rsquo;\n<b>\n&rsquo;',
    '&notit; &notin; &notinx &copy2 &nosuch; & &; &#; &#x; &#xg;',
    '&#233 &#xE9; &#150; &#x80 &#0; &#13; &#55555; &#99999999999; &#59; &#xfdd0; &#1;',
    '&bne; &NotEqualTilde; &fjlig;',
    '\ufb01ne o\ufb03ce \u0149 \u01c4 \u01c5 \u0132 \ufb05',
    '\uff26\uff35\uff2c\uff2c\u3000width \uff76\uff9e \uffe5\uffe3 \uffa1',
    '\x1b[31mred\x1b[0m \x1b[x \x1b[',
    'a\x00b\x0bc\x7fd\ufeffe\u206af\ufffcg\x1ch',
    '\x85 \x92 \x81 \x80',
    'a\xa0b\u2003c\u2028d\u3000e\u200bf\u180eg\xadh',
    '\u0345 a\u0345 .\u0345.',
    'C++/C# _under_score_ @home #tag --- ...',
    '<start_of_text> a <end_of_text>',
    '<|startoftext|> a <|endoftext|>',
    '!<start_of_text> <|STARTOFTEXT|>" <START_OF_TEXT>',
    'aaaaaaaaaaaaaaaaaaaaaaaa',
    'photophotophoto',
    '\U0001d51e\U0001d526',
    '\u1e9b\u0323 \u212b \u2126 K',
    'thethe the',
]
WITHOUT_ENCODINGS = ftfy.TextFixerConfig(explain=False, fix_encoding=False)
UNITS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
OPEN_CLIP = regex.compile("<start_of_text>|<end_of_text>|" + UNITS, regex.I)

visible = [b for b in range(256) if 32 < b < 127 or b > 160 and b != 173]
others = [b for b in range(256) if b not in visible]
LETTER = {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(others)}
LETTERS = [LETTER[b] for b in visible + others]


def clean(text):
    text = ftfy.fix_text(text, WITHOUT_ENCODINGS)
    text = html.unescape(html.unescape(text)).strip()
    return regex.sub(r"\s+", " ", text).strip().lower()


def letters(word):
    result = [LETTER[b] for b in word.encode()]
    return tuple(result[:-1] + [result[-1] + "</w>"])


def merged(word, pair):
    result = []
    i = 0
    while i < len(word):
        two = word[i : i + 2] == pair
        result.append("".join(pair) if two else word[i])
        i += 2 if two else 1
    return tuple(result)


words = collections.Counter(letters(word) for word in OPEN_CLIP.findall(clean(CORPUS)))
merges = []
while len(merges) < MERGES:
    pairs = collections.Counter()
    for word, n in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] += n
    merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
    words = collections.Counter({merged(word, merges[-1]): n for word, n in words.items()})
with open(HERE + "/small-merges.txt", "w", encoding="utf-8") as out:
    out.write("#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in merges))

pieces = LETTERS + [c + "</w>" for c in LETTERS] + ["".join(pair) for pair in merges]
ids = {piece: i for i, piece in enumerate(pieces + ["<start_of_text>", "<end_of_text>"])}


def openclip(text):
    result = []
    for word in OPEN_CLIP.findall(clean(text)):
        split = (word,) if word in ids and word[0] == "<" and word[-1] == ">" else letters(word)
        while len(split) > 1:
            known = [merges.index(p) for p in zip(split, split[1:]) if p in merges]
            if not known:
                break
            split = merged(split, merges[min(known)])
        result += [ids[piece] for piece in split]
    return result


START, END = "<|startoftext|>", "<|endoftext|>"
vocab = {piece: i for i, piece in enumerate(pieces + [START, END])}
huggingface = Tokenizer(
    BPE(
        vocab=vocab,
        merges=merges,
        continuing_subword_prefix="",
        end_of_word_suffix="</w>",
        fuse_unk=False,
        unk_token=END,
    )
)
huggingface.normalizer = normalizers.Sequence(
    [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
)
names = r"<\|startoftext\|>|<\|endoftext\|>|"
huggingface.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(Regex(names + UNITS), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]
)
huggingface.add_special_tokens(
    [AddedToken(name, special=True, normalized=False) for name in (START, END)]
)
huggingface.save(HERE + "/small-tokenizer.json", pretty=False)

with open(HERE + "/small-cases.jsonl", "w", encoding="utf-8") as out:
    for text in TEXTS:
        case = {
            "text": text,
            "openclip": openclip(text),
            "huggingface": huggingface.encode(text, add_special_tokens=False).ids,
        }
        out.write(json.dumps(case) + "\n")
