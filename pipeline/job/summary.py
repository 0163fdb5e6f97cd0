"""A run in a dozen lines."""

from __future__ import annotations

from elmo_beam.elmo.wording import amount, counted, duration
from elmo_beam.pipeline.job.session import Session
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import exists

LEAST_TOKENS = 1000  # of a session whose rate means something


def _passed_over(state: RunState) -> list[tuple[str, str]]:
    lines, sentences = state.total("passed_over"), state.total("passed_sentences")
    what = f"{lines:,}  ({counted(sentences, 'sentence')} without any of the words)"
    return [("  passed over", what)] if sentences else []


def summary(layout: Layout, state: RunState, session: Session, verbose: bool) -> list[str]:
    """Lines: whether it is complete, what became of the lines, what was written, and how fast.

    verbose: also what sharing and the cache have saved.
    """
    total = state.total
    rejected = state.rejected
    rows = [
        ("lines", f"{total('lines'):,}"),
        (
            "  embedded",
            f"{total('embedded'):,}  ({counted(total('rows'), 'row')}, "
            f"{counted(total('tokens'), 'token')})",
        ),
        ("  blank", f"{total('blank'):,}"),
        *_passed_over(state),
        ("  rejected", f"{sum(rejected.values()):,}{_where(layout, rejected)}"),
        *((f"    {reason}", f"{n:,}") for reason, n in sorted(rejected.items())),
        ("output", f"{amount(state.work('bytes'))} in {counted(len(state.done), 'part')}"),
    ]
    if exists(layout.words):
        rows.append(("words", f"their means are in {layout.words}"))
    for shard in state.shards:
        of_shard = RunState([shard])
        if of_shard.rejected and not of_shard.total("embedded"):
            why = ", ".join(of_shard.rejected)
            rows.append(("note", f"nothing of {shard.path} is embedded ({why}): check the flags"))
    rows += _speed(session)
    if verbose:
        rows += _savings(state, session)
    width = max(len(name) for name, _ in rows)
    first = f"{layout.root} is {'complete' if state.complete else 'not complete'}"
    return [first, *(f"  {name:<{width}}  {value}" for name, value in rows)]


def _where(layout: Layout, rejected: dict[str, int]) -> str:
    return f"  (with reasons in {layout.rejects})" if rejected else ""


def _speed(session: Session) -> list[tuple[str, str]]:
    """How long this session took, with start-up apart from the rate where it is known."""
    if not session.tokens:
        return []
    start = session.start_up or 0.0
    text = duration(session.seconds - start)
    if session.tokens >= LEAST_TOKENS:
        text += f" at {session.tokens / (session.seconds - start):,.0f} tokens/s"
    return [("time", f"{text}, after {duration(start)} to start" if start else text)]


def _savings(state: RunState, session: Session) -> list[tuple[str, str]]:
    """What the whole run has not had to compute, and what this session took."""
    rows = []
    steps, nodes, lookups = (state.work(name) for name in ("steps", "nodes", "lookups"))
    if steps:
        rows.append(("LSTM steps", f"{nodes:,}, {nodes / steps:.1%} of {steps:,} without sharing"))
    if lookups:
        rows.append(("token cache", f"{1 - state.work('misses') / lookups:.1%} of lookups found"))
    if session.model_load is not None:
        rows.append(("model load", f"{session.model_load:.1f} s"))
    if session.peak_memory:
        rows.append(("peak memory", f"{session.peak_memory / 1e9:.2f} GB per process"))
    return rows
