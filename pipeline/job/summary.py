"""A run in a dozen lines."""

from __future__ import annotations

from elmo_beam.elmo.wording import counted, duration
from elmo_beam.pipeline.job.session import Session
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.transforms.files.layout import Layout


def _passed_over(state: RunState) -> list[tuple[str, str]]:
    lines, sentences = state.total("passed_over"), state.total("passed_sentences")
    what = f"{lines:,}  ({counted(sentences, 'sentence')} without any of the words)"
    return [("  passed over", what)] if sentences else []


def summary(layout: Layout, state: RunState, session: Session) -> list[str]:
    """Lines: what became of the lines, what was written, and how fast."""
    total = state.total
    rejected = state.rejected
    steps, lookups = state.work("steps"), state.work("lookups")
    rows = [
        ("lines", f"{total('lines'):,}"),
        (
            "  embedded",
            f"{total('embedded'):,}  ({counted(total('rows'), 'row')}, "
            f"{counted(total('tokens'), 'token')})",
        ),
        ("  blank", f"{total('blank'):,}"),
        *_passed_over(state),
        ("  rejected", f"{sum(rejected.values()):,}"),
        *((f"    {reason}", f"{n:,}") for reason, n in sorted(rejected.items())),
        ("output", f"{state.work('bytes') / 1e6:,.1f} MB in {counted(len(state.done), 'part')}"),
    ]
    for shard in state.shards:
        of_shard = RunState([shard])
        if of_shard.rejected and not of_shard.total("embedded"):
            why = ", ".join(of_shard.rejected)
            rows.append(("note", f"nothing of {shard.path} is embedded ({why}): check the flags"))
    if steps:
        nodes = state.work("nodes")
        rows.append(("LSTM steps", f"{nodes:,}, {nodes / steps:.1%} of {steps:,} without sharing"))
    if lookups:
        rows.append(("token cache", f"{1 - state.work('misses') / lookups:.1%} of lookups found"))
    if session.tokens:
        rate = session.tokens / session.seconds
        rows.append(
            (
                "this session",
                f"{counted(session.tokens, 'token')} in {duration(session.seconds)}, "
                f"{rate:,.0f} tokens/s including start-up",
            )
        )
    if session.model_load is not None:
        rows.append(("model load", f"{session.model_load:.1f} s"))
    if session.peak_memory:
        rows.append(("peak memory", f"{session.peak_memory / 1e9:.2f} GB per process"))
    width = max(len(name) for name, _ in rows)
    return [layout.root, *(f"  {name:<{width}}  {value}" for name, value in rows)]
