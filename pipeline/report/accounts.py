"""What became of a run's lines: in all, and file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.state import RunState, ShardState
from elmo_beam.pipeline.report.html import breakable, link, table
from elmo_beam.transforms.files.settings import Settings

MOST_SHARDS = 500  # shown


def accounts(state: RunState, settings: Settings) -> Iterator[str]:
    """HTML of the lines in all: a bar, and the numbers."""
    kinds = [("embedded", "embedded"), ("blank", "blank")]
    kinds += [("passed_over", "passed over")] if settings.words else []
    counts = {name: state.total(kind) for kind, name in kinds}
    counts["rejected"] = sum(state.rejected.values())
    yield f"<h2>What became of {counted(state.total('lines'), 'line')}</h2>"
    classes = {name: name.replace(" ", "-") for name in counts}
    yield '<div class="bar" aria-hidden="true">'  # the table below says the same
    yield from (
        f'<div class="{classes[name]}" style="flex-grow:{n}"></div>'
        for name, n in counts.items()
        if n
    )
    yield "</div>"
    yield table(
        [f'<span class="key {classes[name]}"></span> {name}', n] for name, n in counts.items()
    )


def shards(state: RunState, settings: Settings, rejects: Mapping[str, str]) -> Iterator[str]:
    """HTML of the accounts of each file, or of those with most to say.

    rejects: the first file of rejected lines of each shard that has some.
    """
    if not state.shards:
        return
    shown = state.shards
    if len(shown) > MOST_SHARDS:
        telling = {shard.path for shard in sorted(shown, key=_interest)[:MOST_SHARDS]}
        shown = [shard for shard in shown if shard.path in telling]
    folder = _common_folder([shard.path for shard in shown])
    passed = ["passed over"] if settings.words else []
    head = ["file", "state", "lines", "embedded", "blank", *passed, "rejected", "rows", "tokens"]
    yield f'<h2 id="files">{counted(len(state.shards), "file")}</h2>'
    if folder:
        yield f'<p class="soft">of {breakable(folder)}</p>'
    rows = (_row(shard, len(folder), bool(passed), rejects) for shard in shown)
    yield table(rows, head, "sortable", "accounts of each file")
    left = len(state.shards) - len(shown)
    if left:
        yield (
            f'<p class="soft">{counted(left, "more file")} not shown: those above are damaged or '
            "unfinished, have rejected lines, or are the largest. manifest.json has all.</p>"
        )


def _row(
    shard: ShardState, cut: int, passed_over: bool, rejects: Mapping[str, str]
) -> list[str | int]:
    own = RunState([shard])
    rejected = sum(own.rejected.values())
    return [
        breakable(shard.path[cut:]),
        _state(shard),
        *(own.total(name) for name in ("lines", "embedded", "blank")),
        *([own.total("passed_over")] if passed_over else []),
        _linked(rejected, rejects.get(shard.path)),
        *(own.total(name) for name in ("rows", "tokens")),
    ]


def _linked(n: int, file: str | None) -> str | int:
    if not n or file is None:
        return n
    return f'<span class="n">{link(["rejects", file], f"{n:,}")}</span>'


def _state(shard: ShardState) -> str:
    """What to say of a file, HTML."""
    if shard.complete:
        return "complete"
    if shard.plan is None:
        return '<b class="bad">not planned</b>'
    if shard.plan.damaged is not None:
        return f'<b class="bad">damaged:</b> {escape(shard.plan.damaged)}'
    if shard.plan.unread is not None:
        return f'<b class="bad">cannot be read:</b> {escape(shard.plan.unread)}'
    return f"{len(shard.done):,} of {counted(len(shard.plan.blocks), 'block')}"


def _interest(shard: ShardState) -> tuple[bool, bool, int]:
    """Sorts first what one would want to see."""
    own = RunState([shard])
    return shard.complete, not own.rejected, -own.total("tokens")


def _common_folder(paths: Sequence[str]) -> str:
    """The longest folder that all paths begin with, with its last slash."""
    low, high = min(paths), max(paths)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: low.rfind("/", 0, same) + 1]
