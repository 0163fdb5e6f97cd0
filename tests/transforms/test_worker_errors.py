"""A user's error on its way from a worker to the command: word for word, whatever is around it."""

from __future__ import annotations

import apache_beam as beam
import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.worker_errors import (
    WorkerError,
    marked_user_error,
    user_errors_marked,
)
from tests.helpers.blocks import local_pipeline

MESSAGES = [
    "plain",
    "",
    """it's "quoted", `quoted` and 'quoted'""",
    "größe, 日本語, \u2028 and \U0001f600",
    "[while running 'Embed'] {brackets} (and) <more>",
    r"C:\new\table \u0041 \\ \"",
    "a\ttab",
    "an elmo-beam-error: within",
]


class Fails(beam.DoFn):
    """A step that raises a UserError."""

    def process(self, message: str) -> None:
        with user_errors_marked():
            raise UserError(message)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_users_error_leaves_a_pipeline_word_for_word(message: str) -> None:
    with pytest.raises(Exception) as caught, local_pipeline() as pipeline:
        _ = pipeline | beam.Create([message]) | beam.ParDo(Fails())
    error = marked_user_error(str(caught.value))
    assert isinstance(error, UserError)
    assert str(error) == message


def marked(message: str) -> str:
    """The text of the error that leaves a worker."""
    with pytest.raises(WorkerError) as caught, user_errors_marked():
        raise UserError(message)
    return str(caught.value)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_found_within_a_runners_text(message: str) -> None:
    text = marked(message)
    around = f"java.lang.Error: Traceback:\n  {text} [while running 'x']\n\tat Main.java:1\n"
    for found in (marked_user_error(text), marked_user_error(around)):
        assert str(found) == message
    assert str(marked_user_error(marked("another") + around)) == message  # the last one counts


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(KeyError, match="a bug"), user_errors_marked():
        raise KeyError("a bug")
    with user_errors_marked():
        pass


@pytest.mark.parametrize("text", ["", "the job failed", "UserError: no model folder", '"quoted"'])
def test_text_without_a_mark_has_no_users_error(text: str) -> None:
    assert marked_user_error(text) is None


def test_text_that_was_cut_has_no_users_error() -> None:
    text = marked("größe and more")
    for size in range(len(text)):
        assert marked_user_error(text[:size]) is None
    assert marked_user_error(text) is not None
