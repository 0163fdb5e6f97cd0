"""`--config`: flags from a file, which a run's own record may be; the command line counts first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers.command import Job, elmo_beam


def recorded(job: Job) -> dict[str, object]:
    """The settings of the job's run."""
    settings: dict[str, object] = json.loads((job.out / "run.json").read_text())["settings"]
    return settings


def written(folder: Path, document: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(document))
    return path


def test_what_a_run_records_makes_the_same_run(job: Job) -> None:
    job.file("a.jsonl", '{"body": "one bank", "label": 3}\n')
    (job.folder / "words").write_text("bank\n")
    flags = ("--text_field", "body", "--keep_fields", "label:int64", "--memory", "64M")
    job.embed(*flags, "--words", job.folder / "words", "--split_sentences").succeeds()
    first = job.out
    job.out_name = "again"
    elmo_beam(
        "embed", "--config", first / "run.json", "--input", job.folder / "in" / "*",
        "--output", job.out,
    ).succeeds()  # fmt: skip
    assert (first / "run.json").read_bytes() == (job.out / "run.json").read_bytes()
    (ours,), (its,) = ([*(folder / "parts").iterdir()] for folder in (first, job.out))
    assert ours.read_bytes() == its.read_bytes()


def test_a_counted_list_is_counted_anew(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    job.embed("--pool", "word", "--top_words", "1", "--tokenizer", "whitespace").succeeds()
    job.file("b.txt", "two banks\n" * 9)
    config, job.out_name = job.out / "run.json", "again"
    job.embed("--config", config).succeeds()
    assert recorded(job)["words"] == ["banks"]


def test_a_file_may_say_everything_in_any_spelling(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    config = written(
        job.folder,
        {
            "input": [str(job.folder / "in" / "*")],
            "output": str(job.out),
            "model": str(job.model),
            "outputs": ["elmo", "default"],
            "split-sentences": True,
            "block_size": "64k",
            "memory": 1 << 26,
            "id_field": None,
            "max_tokens": 9,
        },
    )
    elmo_beam("plan", "--config", config).succeeds()
    elmo_beam("embed", "--config", config).succeeds()
    settings = recorded(job)
    assert settings["outputs"] == ["elmo", "default"] and settings["split_sentences"] is True
    assert (settings["block_size"], settings["memory"]) == (1 << 16, 1 << 26)


def test_the_command_line_counts_first(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    config = written(job.folder, {"input": "nowhere.txt", "max_tokens": 9, "dtype": "float16"})
    job.embed("--max_tokens", "7", "--config", config).succeeds()
    assert (recorded(job)["max_tokens"], recorded(job)["dtype"]) == (7, "float16")


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"max_token": 9}, ("max_token", "max_tokens")),
        ({"max_tokens": 0}, ("max_tokens", "0")),
        ({"max_tokens": "many"}, ("max_tokens", "many")),
        ({"max_tokens": True}, ("max_tokens", "true")),
        ({"split_sentences": "yes"}, ("split_sentences", "yes")),
        ({"dtype": "float64"}, ("dtype", "float64", "float16")),
        ({"dtype": ["float16"]}, ("dtype", "float16")),
        ({"settings": {"dtype": "float16"}, "nosuch": 1}, ("nosuch",)),
        ({"outputs": ["bert"]}, ("outputs", "bert")),
        ({"outputs": {"a": 1}}, ("outputs",)),
        ({"config": "other.json"}, ("config",)),
        ({"words": "absent.txt"}, ("words", "absent.txt")),
        (["--max_tokens"], ("JSON object", '{"model": "default"}')),
        ({"runer": "DirectRunner"}, ("unknown flag --runer", "--runner")),
        ({"runner": {"a": 1}}, ("runner",)),
        ({"direct_num_workers": "many"}, ("direct_num_workers", "many")),
        ({"pad_to": 9}, ("--pad_to is not for --format parquet", "--pad_to)")),
        ({"top_words": 5}, ("--top_words are the words of --pool", "from ")),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_what_is_wrong(
    tmp_path: Path, document: Mapping[str, object], parts: tuple[str, ...]
) -> None:
    config = written(tmp_path, document)
    flags = ("--input", "a.txt", "--output", tmp_path / "out")
    elmo_beam("embed", *flags, "--config", config).refuses("config.json", *parts, code=2)
    assert not (tmp_path / "out").exists()


def test_a_message_names_the_file_only_for_what_it_gives(tmp_path: Path) -> None:
    config = written(tmp_path, {"pad_to": 9, "max_tokens": 7})
    flags = ("--input", "a.txt", "--output", tmp_path / "out", "--config", config)
    refused = elmo_beam("embed", *flags, "--format", "tfrecord", "--pad_to", "5")
    refused.refuses("--pad_to 5 is less than --max_tokens 7", "config.json: --max_tokens)", code=2)
    assert "config.json" not in elmo_beam("embed", *flags, "--pad_to", "0").err


def test_a_list_of_words_takes_the_place_of_a_recorded_count_and_the_reverse(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    (job.folder / "words").write_text("bank\n")
    pool = ("--pool", "word", "--tokenizer", "whitespace")
    job.embed(*pool, "--top_words", "1").succeeds()
    config, job.out_name = job.out / "run.json", "again"
    job.embed("--config", config, "--words", job.folder / "words").succeeds()
    assert (recorded(job)["words"], recorded(job)["top_words"]) == (["bank"], None)
    config, job.out_name = job.out / "run.json", "once more"
    job.embed("--config", config, "--top_words", "2").succeeds()
    assert sorted(recorded(job)["words"]) == ["bank", "one"]  # type: ignore[call-overload]


def test_beams_flags_may_stand_in_the_file(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    beam = {"runner": "DirectRunner", "direct_num_workers": 1, "save_main_session": False}
    job.embed("--config", written(job.folder, beam)).succeeds()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("{")
    (tmp_path / "twice").write_text('{"limit": 1, "limit": 2}')
    for name in ("absent", "broken", "twice", ""):
        refused = elmo_beam("embed", "--config", tmp_path / name)
        refused.refuses("--config", tmp_path / name, code=2)


def test_what_stands_beside_recorded_settings_counts_too(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    beside = {"max_tokens": 7, "input": str(job.folder / "in" / "*")}
    config = written(job.folder, {"settings": {"max_tokens": 9, "dtype": "float16"}, **beside})
    model = ("--model", job.model, "--output", job.out)
    elmo_beam("embed", "--config", config, *model).succeeds()
    assert (recorded(job)["max_tokens"], recorded(job)["dtype"]) == (7, "float16")
