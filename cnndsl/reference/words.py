"""The words and signs of the language, one entry each: what `cnndsl explain repeat` prints and docs/words.md holds."""

from __future__ import annotations

from cnndsl.record import Record


class Word(Record):
    """One word or sign: what it is called, what it means, in Markdown, and a whole spec that uses it.

    names: every spelling that means it, the heading's first.
    """

    names: tuple[str, ...]
    text: str
    example: str


WORDS = (
    Word(
        ("network",),
        "`network NAME` begins a network; its lines follow, up to the next `network` or `block`, or stand "
        "indented below `network NAME:`. `network NAME(width=64)` has parameters, which `{width}` stands for and "
        "`--set width=32` changes. `network WIDE = NAME(width=128)` is an instance: the same layers with other "
        "values, and claims and a recipe of its own.",
        "network Mlp(hidden=512)\ninput 28x28x1\ndense {hidden}, relu, dense 10\n\n"
        "network Wide = Mlp(hidden=1_024):\n    expect params == 814_090\n",
    ),
    Word(
        ("input",),
        "`input 32x32x3` is what the network takes: height x width x channels. `input 784` is a vector, `input "
        "200 tokens` a sequence of whole numbers. Several inputs have names: `input left 28x28x1`. A capital "
        "letter leaves a size open; what stands behind `=` is used to count: `input HxWx3 = 224x224x3`. In a "
        "block, `input` is the tensor that the block was given: `concat input`, `{input.channels}`.",
        "network Fully\ninput HxWx3 = 64x48x3\nconv 3x3x16 /2 same, relu\nglobalpool, dense 10\n",
    ),
    Word(
        ("where",),
        "Behind an input with open sizes: which sizes are possible. Parts with commas must all hold.",
        "network Halved\ninput HxWx3 = 64x48x3 where H % 16 == 0, W % 16 == 0\nconv 3x3x8 /2 same\n",
    ),
    Word(
        ("tokens",),
        "`input 200 tokens` is a sequence of 200 whole numbers, words of a text say; `embedding` makes vectors of "
        "them. `tokens` is also a layer kind, which makes a sequence of a map.",
        "network Text\ninput 200 tokens\nembedding 5000x32, conv 3x64, relu, globalpool, dense 2\n",
    ),
    Word(
        ("output", "training"),
        "`output NAME` makes what a named layer gives a result of the network. `output NAME:` with lines below it "
        "is a side branch: the chain goes on where it was. With `training` behind the name it only serves "
        "training, as auxiliary classifiers do, and is left out of the MACs. The end of the chain is always a "
        "result.",
        "network Auxiliary\ninput 32x32x3\nconv 3x3x16 /2 same, relu\noutput early training:\n"
        "    globalpool, dense 10\nconv 3x3x32 /2 same, relu, globalpool, dense 10\n",
    ),
    Word(
        ("block",),
        "`block NAME(a, b=1):` names lines that are used exactly as a layer kind is: `NAME 64 b=2`. In its lines "
        "`{a}` is the value that the call gives, `input` the tensor. A parameter with a default may be left out; "
        "the bare name of one whose default is `false` sets it. Blocks may call others, and themselves.",
        "block stage(channels, narrow=false):\n    conv 3x3x{channels} same, relu\n    if narrow:\n"
        "        pool 2\n\nnetwork Blocks\ninput 32x32x3\nstage 16, stage 32 narrow * 2\nglobalpool, dense 10\n",
    ),
    Word(
        ("...",),
        "In a block's lines: all further arguments of the call, which its parameters do not take. So the block "
        "can stand for a layer with others around it.",
        "block cbr(act=relu):\n    conv ... nobias, bn, {act}\n\nnetwork Rest\ninput 32x32x3\n"
        "cbr 3x3x16 /2 same, cbr 1x1x8 act=silu\n",
    ),
    Word(
        ("|", "arm", "arms", "branch"),
        "A merge (`add`, `concat`, `mul`, `max`, `absdiff`) with `:` behind it has arms. Each begins with `|` at "
        "the tensor that the merge was given; further lines of the arm stand below its first word. `if` and `for` "
        "may choose arms; a merge that is left with one arm is that arm.",
        "network Arms\ninput 32x32x16\nadd:\n    | conv 3x3x16 pad=1, relu\n      conv 3x3x16 pad=1\n"
        "    | identity\nrelu\n",
    ),
    Word(
        ("as",),
        "`conv 3x3x8 as stem` names what the item gives. The name is the layer's in tables, in the compiled "
        "source and in checkpoints; merges, `from`, `reuse`, `output` and `expect` find it by that. A repeated "
        "item, and one in a loop, has an index: `as stage[i]`. Names given in a block are seen in it only.",
        "network Named\ninput 32x32x3\nconv 3x3x8 pad=1 as stem, relu\nconv 3x3x8 pad=1, add stem\n"
        "conv 3x3x8 * 2 as head\nexpect stem.params == 224 and head[1].params == 584\n",
    ),
    Word(
        ("from",),
        "`from NAME` goes on from what an earlier layer, or an input, gave: an item like any other. In a block, "
        "`from {skip}` takes the name that the call gives.",
        "network Heads\ninput 32x32x3\nconv 3x3x16 /2 same as stem, relu\nglobalpool, dense 10 as class\n"
        "from stem, conv 1x1x4 as box\noutput class\noutput box\n",
    ),
    Word(
        ("reuse",),
        "`reuse NAME` applies a named layer or block again, with the same weights. They count once.",
        "block tower:\n    conv 3x3x16, relu, pool 2, dense 64\n\nnetwork Siamese\ninput left 28x28x1\n"
        "input right 28x28x1\nfrom left, tower as embed\nfrom right, reuse embed\n"
        "absdiff embed, dense 1, sigmoid\n",
    ),
    Word(
        ("->", "claim", "claims"),
        "A claim: the size of what the line gives, checked. It stands at the end of a line or on a line of its "
        "own; `_` stands for any size. It holds for the sizes and parameters in the file: `--set` and `--input` "
        "leave it out.",
        "network Claims\ninput 32x32x1\nconv 5x5x6, tanh\npool 2 avg  -> 14x14x6\n-> _x_x6\ndense 10    -> 10\n",
    ),
    Word(
        ("expect",),
        "`expect` claims something of the whole network (`params`, `macs`, `flops`, `connections`, `rf`, "
        "`stride`, `memory`, `depth`) or of a layer or block with a name (`c1.params`, `stage[1].rf`, `c1.shape "
        "== 28x28x6`). Parts joined by `and` are checked one by one. `~` compares after rounding to the digits "
        "written.",
        "network Expected\ninput 32x32x1\nconv 5x5x6 as c1, tanh, pool 2 avg\ndense 10\n"
        "expect params == 11_926 and depth == 2\nexpect macs ~ 129K\nexpect c1.rf == 5\n",
    ),
    Word(
        ("~",),
        "In `expect`: equal when rounded to the digits written, as papers print numbers. `macs ~ 416.5K` allows "
        "416,450 to 416,550.",
        "network Rounded\ninput 32x32x1\nconv 5x5x6, tanh, pool 2 avg\ndense 10\nexpect macs ~ 129K\n",
    ),
    Word(
        ("params", "macs", "flops", "connections", "rf", "stride", "memory", "depth"),
        "The numbers that `expect` knows. `params`: learned and frozen parameters, shared ones once. `macs`: "
        "multiply-accumulates for one example, without biases; `flops` is twice that. `connections`: links into "
        "units, biases included. `rf`: the receptive field, the input cells that one output sees; `stride`: input "
        "cells between two neighbouring outputs. `memory`: bytes for training with one example a step. `depth`: "
        "layers with weights on the longest path. A layer has `shape`, `height`, `width`, `length` and `channels` "
        "besides.",
        "network Numbers\ninput 32x32x1\nconv 5x5x6 /2 as c1, relu\nexpect rf == 5 and stride == 2\n"
        "expect c1.height == 14 and c1.memory == 4_096\n",
    ),
    Word(
        ("let",),
        "`let name = …` names a value, `let a, b = …` takes a list apart, `let f(x) = …` names a function. What "
        "stands before the first network or block holds for the whole file.",
        "let widths = [16 * 2**i for i in range(3)]\nlet twice(x) = 2 * x\n\nnetwork Named\ninput 32x32x3\n"
        "let last = twice(widths[2])\nconv 3x3x{last}\n",
    ),
    Word(
        ("{}", "{", "}", "expression", "expressions"),
        "`{2 * width}` is an expression in Python's notation, wherever a number, a size's side, a kind, a word or "
        "a tensor's name may stand. Outside braces a name is a name and never a variable. `{input.channels}` and "
        "`{here.channels}` ask a block's input and the current tensor.",
        "network Braces(width=8, act=relu)\ninput 32x32x3\nconv 3x3x{2 * width} pad=1, {act}\n"
        "conv 1x1x{here.channels // 2}\n",
    ),
    Word(
        ("here",),
        "In an expression: the current tensor, what the last layer gave. `here.channels`, `here.height`, "
        "`here.width`, `here.length`, `here.shape`.",
        "network Here\ninput 32x32x3\nconv 3x3x16, relu\ndwconv 3x3, conv 1x1x{2 * here.channels}\n",
    ),
    Word(
        ("repeat",),
        "`repeat n:` runs the lines below it n times, each with layers of its own; `repeat n as i:` counts from "
        "0. To repeat one item, `* n` is shorter.",
        "network Deep\ninput 32x32x3\nrepeat 3 as i:\n    conv 3x3x{16 * 2**i} same, relu, pool 2\ndense 10\n",
    ),
    Word(
        ("*", "count"),
        "Behind an item: how often it is repeated, each time with weights of its own; 0 leaves it out. Within "
        "braces it multiplies.",
        "network Deep\ninput 16x16x3\nconv 3x3x8 * 3 as body, relu\nexpect body[2].params == 3*3*8*8 + 8\n",
    ),
    Word(
        ("for", "in"),
        "`for a, b in list:` runs the lines below it for every member of a list, while the spec is expanded. "
        "`enumerate`, `range` and `zip` are there. In a merge it makes arms.",
        "network Stages\ninput 32x32x3\nfor i, count in enumerate([1, 2]):\n"
        "    conv 3x3x{16 * 2**i} same, relu * {count}\n    pool 2\ndense 10\n",
    ),
    Word(
        ("if", "elif", "else"),
        "`if condition:` runs the lines below it if the condition holds, `elif` and `else` otherwise. It is "
        "decided while the spec is expanded, so it may ask for sizes: `if input.channels != c:`. Without `else` "
        "nothing is added. Within an expression it chooses a value: `{2 if i == 0 else 1}`.",
        "network Chosen(dropout=true)\ninput 32x32x3\nif dropout and here.channels > 2:\n    dropout 0.5\n"
        "elif dropout:\n    dropout 0.2\ndense 10\n",
    ),
    Word(
        ("and", "or", "not", "true", "false"),
        "Logic in expressions, as in Python; truth values are written `true` and `false`. `expect a and b` is two "
        "claims.",
        "network Logic(wide=true, deep=false)\ninput 32x32x3\nif wide and not deep:\n    conv 3x3x64\nelse:\n"
        "    conv 3x3x16 * 4\n",
    ),
    Word(
        ("/",),
        "`/2` is the stride of a kernel or window, as papers write it; `/2x1` gives one for each axis. Within "
        "braces, `/` divides and gives a number with a point, `//` a whole one.",
        "network Strided\ninput 32x32x3\nconv 3x3x16 /2 same  -> 16x16x16\npool 3 /2x1          -> 7x14x16\n",
    ),
    Word(
        ("x", "size", "sizes"),
        "Sizes are written height x width x channels, without spaces: `32x32x3`. A kernel is its sides, then the "
        "output channels: `conv 5x5x6`; the number of sides says whether it is 1-D, 2-D or 3-D. A side may be an "
        "expression: `{k}x{k}x64`.",
        "network Sound\ninput 16000x1\nconv 9x32 /4 same, relu, globalpool, dense 10\n",
    ),
    Word(
        ("same", "valid", "pad"),
        "Padding. `valid` is none (what holds if nothing is said), `pad=1` is one cell on every side, `pad=0x1` "
        "height x width, `pad=[0, 1, 2, 3]` top, bottom, left, right. `same` makes the output ⌈input / stride⌉, "
        "the odd cell at the end, as TensorFlow does. `pad` is also a layer kind.",
        "network Padded\ninput 9x9x1\nconv 3x3x4 /2 same  -> 5x5x4\nconv 3x3x4 pad=1    -> 5x5x4\n"
        "conv 3x3x4 valid    -> 3x3x4\n",
    ),
    Word(
        ("=", "name=value"),
        "`name=value` gives the argument of that name: `groups=2`, `pad=[0, 1, 2, 3]`, `act=silu`. What stands "
        "behind it is a number, a size, a name, a string, a list or `{an expression}`.",
        "network Arguments\ninput 32x32x4\nconv kernel=3x3 channels=8 groups=2 pad=1\n",
    ),
    Word(
        (",", "comma"),
        "Items stand on lines of their own, or on one line with commas: a comma is as good as a new line.",
        "network Commas\ninput 28x28x1\nconv 5x5x8, relu, pool 2\ndense 10\n",
    ),
    Word(
        ("#", "comment", "comments"),
        "Everything behind `#` is a comment.",
        "# A whole line, or the end of one.\nnetwork Commented\ninput 28x28x1   # height x width x channels\n"
        "dense 10\n",
    ),
    Word(
        ("use",),
        '`use "blocks.cnn": cbr, stem as head` takes blocks, networks and values from another file; its path '
        "counts from the file that it is written in. `use std.residual: bottleneck` takes blocks that come with "
        "cnndsl.",
        "use std.residual: bottleneck\nuse std.conv: cbr as unit\n\nnetwork Used\ninput 32x32x64\n"
        "bottleneck 16, unit 1x1x10\nglobalpool, dense 10\n",
    ),
    Word(
        ("train", "of"),
        "`train:` is the network's recipe: below it stands one setting a line, as `explain data`, `explain loss` "
        "or `explain optimizer` tell. `cnndsl train` follows it, `cnndsl check` checks it. Outside of networks, `train "
        "gan of Maker, Judge:` is a recipe of two that train each other.",
        "network Digits\ninput 8x8x1\nconv 3x3x16, relu, pool 2\ndense 10\n\ntrain:\n    data digits\n"
        "    loss cross_entropy\n    optimizer sgd 0.1 momentum=0.9\n    schedule cosine\n    epochs 10\n"
        "    batch 64\n",
    ),
    Word(
        (
            "range", "enumerate", "zip", "len", "sum", "min", "max", "abs", "round", "floor", "ceil",
            "sqrt", "log", "make_divisible",
        ),
        "The functions of expressions, as in Python: `range`, `enumerate`, `zip`, `len`, `sum`, `min`, `max`, "
        "`abs`, `round` (halves to the even neighbour), `floor`, `ceil`, `sqrt`, `log`. `make_divisible(v, 8)` is "
        "the rounding of the MobileNet papers' code.",
        "network Functions(scale=0.75)\ninput 32x32x3\nfor i, c in enumerate([32, 64]):\n"
        "    conv 3x3x{make_divisible(scale * c, 8)} same, relu, pool 2\ndense {max(10, ceil(sqrt(50)))}\n",
    ),
)  # fmt: skip
"""In the order of the page."""
