"""The command line's flags and what each may be. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from elmo.errors import UserError
from elmo.precision import PRECISIONS
from pipeline import __version__
from pipeline.flag_types import FlagError, Parser, count, number, outputs, path, size, word
from transforms.settings import TOKENIZERS, Settings

DEFAULTS = Settings(digest="")
MOST_EPOCHS = 1_000_000
TEXT_FLAGS = (
    "normalize",
    "tokenizer",
    "language",
    "split_sentences",
    "max_tokens",
    "long_sentences",
    "text_field",
    "text_column",
)
Commands = argparse._SubParsersAction


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="elmo-beam", description="Turn text shards into ELMo vectors.")
    top.add_argument("--version", action="version", version=f"elmo-beam {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    embed = commands.add_parser(
        "embed",
        help="embed text shards; the same command continues a run",
        description="Embed text shards. Run again, the same command continues where it stopped.",
        epilog="Any other flag goes to Beam: --runner FlinkRunner --flink_master HOST:PORT …",
    )
    _add_files(embed)
    _add_settings(embed)
    embed.add_argument("--overwrite", action="store_true", help="start afresh in --output")
    plan = commands.add_parser(
        "plan",
        help="say what a run would do",
        description="Read and tokenize the input, and say what `embed` with these flags would do.",
    )
    _add_files(plan)
    _add_settings(plan)
    plan.add_argument("--overwrite", action="store_true", help=argparse.SUPPRESS)
    plan.add_argument(
        "--rate", type=number, metavar="N", help="tokens a second, to say how long it would take"
    )
    _add_train(commands)
    _add_evaluate(commands)
    _add_elmo(commands)
    verify = commands.add_parser("verify", help="re-read everything a run wrote, and check it")
    verify.add_argument("output", type=path, metavar="DIR", help="the run's output folder")
    report = commands.add_parser("report", help="a run on one page of HTML, DIR/report.html")
    report.add_argument("output", type=path, metavar="DIR", help="the run's output folder")
    inspect = commands.add_parser("inspect", help="show a run to a person")
    inspect.add_argument("output", type=path, metavar="DIR", help="the run's output folder")
    inspect.add_argument("--rows", type=count, default=3, metavar="N", help="rows to show (3)")
    inspect.add_argument(
        "--word",
        type=word,
        metavar="WORD",
        help="show the nearest neighbours of a word in its contexts",
    )
    return top


def _add_train(commands: Commands) -> None:
    train = commands.add_parser(
        "train",
        help="train a biLM on text shards; the same command continues",
        description="Train a biLM. Run again, the same command continues from its checkpoint.",
    )
    _add_files(train)
    train.add_argument(
        "--options",
        type=path,
        metavar="FILE",
        help="an options.json: the model's shape, and dropout, clipping and the like (the default "
        "model's)",
    )
    train.add_argument(
        "--init_from", type=path, metavar="HANDLE", help="begin with the weights of this model"
    )
    train.add_argument(
        "--epochs", type=number, default=10.0, metavar="N", help="passes over the text, as 0.5 (10)"
    )
    _add_text(train)
    train.set_defaults(max_tokens=128, long_sentences="split")


def _add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a model: perplexity on text, part-of-speech probe a layer",
        description="Measure a model: its perplexity on text (--input), and how well a linear "
        "classifier tells parts of speech by each of its layers (--conllu_train, --conllu_test).",
    )
    evaluate.add_argument("--model", default=DEFAULTS.model, metavar="HANDLE", help="as for embed")
    _add_precision(evaluate)
    evaluate.add_argument(
        "--input", action="append", type=path, metavar="FILE", help="text to predict"
    )
    evaluate.add_argument("--output", type=path, metavar="FILE", help="write the figures as JSON")
    for part, use in (("train", "fit on"), ("dev", "choose by"), ("test", "measured on")):
        evaluate.add_argument(
            f"--conllu_{part}", type=path, metavar="FILE", help=f"{use}; may be .gz, .bz2, .zst"
        )
    evaluate.add_argument(
        "--sentences", type=count, metavar="N", help="fit on the first N of --conllu_train only"
    )
    _add_text(evaluate)


def _add_elmo(commands: Commands) -> None:
    elmo = commands.add_parser(
        "elmo",
        help="what `allennlp elmo` did, with its flags and its one HDF5 file",
        description="Embed tokenized sentences, a line each, into one HDF5 file as AllenNLP wrote.",
    )
    elmo.add_argument("input_file", type=path, help="tokens parted by spaces, a sentence a line")
    elmo.add_argument("output_file", type=path, help="the HDF5 file to write")
    layers = elmo.add_mutually_exclusive_group(required=True)
    layers.add_argument("--all", action="store_true", help="all layers")
    layers.add_argument("--top", action="store_true", help="the top layer")
    layers.add_argument("--average", action="store_true", help="the mean of all layers")
    elmo.add_argument("--options-file", type=path, metavar="FILE", help="the model's options.json")
    elmo.add_argument("--weight-file", type=path, metavar="FILE", help="and its HDF5 weights")
    nothing = "taken, and changes nothing"
    elmo.add_argument("--batch-size", type=count, metavar="N", help=nothing)
    elmo.add_argument("--cuda-device", type=int, metavar="N", help=nothing)
    elmo.add_argument("--vocab-path", metavar="FILE", help=nothing)
    elmo.add_argument("--file-friendly-logging", action="store_true", help=nothing)
    elmo.add_argument("--use-sentence-keys", action="store_true", help="sentences as names")
    elmo.add_argument("--forget-sentences", action="store_true", help="without sentence_to_index")


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        action="append",
        type=path,
        metavar="FILE",
        help="a file or glob, local or a URL; give it again for more. Text, .jsonl, .parquet; "
        "text and .jsonl may be .gz, .bz2, .zst",
    )
    parser.add_argument("--output", type=path, metavar="DIR", help="where the run goes")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    d = DEFAULTS
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        default=d.model,
        metavar="HANDLE",
        help="`default`, a folder with options.json and *.hdf5, or a TF-Hub module's folder or URL",
    )
    model.add_argument(
        "--engine",
        choices=("native", "module"),
        default=d.engine,
        help="`module` runs a hub module itself, slowly, for checking (native)",
    )
    _add_precision(model)
    model.add_argument(
        "--memory", type=size, default=d.memory, metavar="SIZE", help="for vectors in work (1GiB)"
    )
    made = parser.add_argument_group("output")
    made.add_argument(
        "--outputs",
        type=outputs,
        default=d.outputs,
        metavar="NAMES",
        help="of word_emb, lstm_outputs1, …, elmo, default; parted by commas (elmo)",
    )
    made.add_argument("--format", choices=("parquet", "tfrecord"), default=d.format)
    made.add_argument("--dtype", choices=("float32", "float16"), default=d.dtype)
    made.add_argument(
        "--pad_to", type=count, metavar="N", help="pad tokens and vectors to N (TFRecord only)"
    )
    made.add_argument(
        "--block_size",
        type=size,
        default=d.block_size,
        metavar="SIZE",
        help="text of one part file (256k)",
    )
    text = _add_text(parser)
    text.add_argument("--id_field", metavar="NAME", help="JSON or Parquet, copied to column id")


def _add_precision(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=DEFAULTS.precision,
        help="bfloat16: quicker, vectors right to 1%% on ordinary text (float32)",
    )


def _add_text(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    d = DEFAULTS
    text = parser.add_argument_group("text")
    text.add_argument("--normalize", choices=("nfc", "none"), default=d.normalize)
    text.add_argument("--tokenizer", choices=TOKENIZERS, default=d.tokenizer)
    text.add_argument("--language", default=d.language, metavar="CODE", help="for moses (en)")
    text.add_argument("--split_sentences", action="store_true", help="cut lines into sentences")
    text.add_argument(
        "--max_tokens",
        type=count,
        default=d.max_tokens,
        metavar="N",
        help="a sentence (%(default)s)",
    )
    text.add_argument(
        "--long_sentences",
        choices=("reject", "truncate", "split"),
        default=d.long_sentences,
        help="what to do with sentences of more than --max_tokens (%(default)s)",
    )
    text.add_argument("--text_field", default=d.text_field, metavar="NAME", help="JSON (text)")
    text.add_argument("--text_column", default=d.text_column, metavar="NAME", help="Parquet (text)")
    return text


def check(args: argparse.Namespace) -> None:
    """Raises FlagError for flags that are missing, or do not go together."""
    if args.command == "evaluate":
        _check_evaluate(args)
    elif not args.input:
        # Not left to argparse, which would name --output where --ouput is the mistake.
        raise FlagError("--input is missing: name a file or a quoted glob")
    if args.command in ("embed", "train") and not args.output:
        raise FlagError("--output is missing: name a folder")
    if args.command == "train" and args.epochs > MOST_EPOCHS:
        raise FlagError(f"--epochs {args.epochs:g} is more than {MOST_EPOCHS:,}")
    if args.command in ("embed", "plan"):
        _check_padding(args)
        if args.engine == "module" and args.precision != DEFAULTS.precision:
            raise FlagError(f"--precision {args.precision} is for --engine native")
    if args.tokenizer == "moses" and args.language != DEFAULTS.language:
        from transforms.text import check_language

        try:
            check_language(args.language)
        except UserError as error:
            raise FlagError(str(error)) from None


def _check_evaluate(args: argparse.Namespace) -> None:
    if not args.input and not args.conllu_train:
        raise FlagError("nothing to measure by: give --input, or --conllu_train and --conllu_test")
    if bool(args.conllu_train) != bool(args.conllu_test):
        raise FlagError("--conllu_train and --conllu_test go together: give both")
    for flag in ("conllu_dev", "sentences", "precision"):
        if getattr(args, flag) not in (None, DEFAULTS.precision) and not args.conllu_train:
            raise FlagError(f"--{flag} is for the probe: give --conllu_train and --conllu_test too")


def _check_padding(args: argparse.Namespace) -> None:
    if args.pad_to is not None:
        if args.format != "tfrecord":
            raise FlagError("--pad_to is for --format tfrecord: Parquet keeps sentences ragged")
        if args.max_tokens > args.pad_to:
            raise FlagError(
                f"--pad_to {args.pad_to} is less than --max_tokens {args.max_tokens}: "
                "give --max_tokens no larger than --pad_to"
            )
    if args.format == "tfrecord" and args.dtype == "float16":
        raise FlagError("--dtype float16 is for --format parquet: TFRecord keeps float32")


def text_settings(args: argparse.Namespace) -> Settings:
    """What the flags say of text; for commands that make no run."""
    return Settings(digest="", **{name: getattr(args, name) for name in TEXT_FLAGS})


def unknown(argument: str, command: str, beam: Sequence[str] = ()) -> FlagError:
    """The error for an argument that is neither ours nor among Beam's flags."""
    if not argument.startswith("-"):
        return FlagError(f"unexpected {argument!r}: quote a glob, or give --input for each file")
    flag = argument.split("=")[0]
    near = difflib.get_close_matches(flag, [*own_flags(command), *beam], 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"see elmo-beam {command} --help"
    return FlagError(f"unknown flag {flag}: {hint}")


def own_flags(command: str) -> list[str]:
    """Every flag of one of our commands."""
    subparsers = parser()._subparsers
    assert subparsers is not None
    chosen = subparsers._group_actions[0].choices[command]  # type: ignore[index]
    return sorted(chosen._option_string_actions)
