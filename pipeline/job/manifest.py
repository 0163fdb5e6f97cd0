"""The end of a run: manifest.json and _SUCCESS, and what keeps a run from being complete."""

from __future__ import annotations

import json
from typing import Any

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.session import Session
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings, run_versions
from elmo_beam.transforms.files.storage import delete, exists, read_bytes, write_bytes


def manifest_of(state: RunState, settings: Settings, session: Session) -> dict[str, Any]:
    """The accounts of a run, per shard and in all, with its settings and figures."""
    return {
        **_accounts(state, settings, len(state.done)),
        "shards": [
            {"shard": s.path, **_accounts(RunState([s]), settings, len(s.done))}
            for s in state.shards
        ],
        "damaged": [
            {"shard": s.path, "cause": s.plan.damaged}
            for s in state.shards
            if s.plan and s.plan.damaged
        ],
        "unread": [
            {"shard": s.path, "cause": s.plan.unread}
            for s in state.shards
            if s.plan and s.plan.unread
        ],
        "settings": settings.to_json(),
        "versions": run_versions(),
        "figures": {
            "bytes": state.work("bytes"),
            "steps": state.work("steps"),
            "nodes": state.work("nodes"),
            "token_lookups": state.work("lookups"),
            "token_cache_misses": state.work("misses"),
            "session_seconds": round(session.seconds, 1),
            "session_tokens": session.tokens,
            "start_up_seconds": session.start_up and round(session.start_up, 1),
            "model_load_seconds": session.model_load,
            "peak_memory_bytes": session.peak_memory,
        },
    }


def _accounts(state: RunState, settings: Settings, blocks: int) -> dict[str, Any]:
    return {
        "complete": state.complete,
        "lines": state.total("lines"),
        "embedded": state.total("embedded"),
        "blank": state.total("blank"),
        **_passed_over(state, settings),
        "rejected": state.rejected,
        "rows": state.total("rows"),
        "tokens": state.total("tokens"),
        "blocks": blocks,
    }


def _passed_over(state: RunState, settings: Settings) -> dict[str, int]:
    """Lines and sentences that have none of a run's words."""
    names = ("passed_over", "passed_sentences") if settings.words else ()
    return {name: state.total(name) for name in names}


def finish(layout: Layout, state: RunState, settings: Settings, session: Session) -> None:
    """Write the manifest, and _SUCCESS if every line of every input is accounted for.

    A session that embedded nothing leaves the manifest as it is, with the figures of the one that
    did.
    """
    manifest = manifest_of(state, settings, session)
    if session.tokens or recorded_accounts(layout) != accounts_in(manifest):
        data = (json.dumps(manifest, indent=2) + "\n").encode()
        write_bytes(layout.root, layout.manifest, data)
    if not state.complete:
        delete(layout.success)
    elif not exists(layout.success):
        write_bytes(layout.root, layout.success, b"\n")  # S3 accepts no empty upload


def accounts_in(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of the text, without the settings and figures of the run."""
    return {k: v for k, v in manifest.items() if k not in ("settings", "versions", "figures")}


def recorded_accounts(layout: Layout) -> dict[str, Any] | None:
    """What the manifest on record says of the text, None if none can be read."""
    try:
        return accounts_in(json.loads(read_bytes(layout.manifest) or b""))
    except (ValueError, AttributeError):
        return None


def problems(state: RunState) -> list[str]:
    """One line for each thing that keeps the run from being complete."""
    found = []
    for shard in state.shards:
        if shard.plan is None:
            found.append(
                f"no plan of {shard.path}: workers wrote to a disk this machine does not share, "
                "so give an output folder that all of them reach"
            )
        elif shard.plan.damaged is not None:
            found.append(damage_line(shard.path, shard.plan.damaged))
        elif not shard.complete:
            missing = len(shard.plan.blocks) - len(shard.done)
            unread = f"cannot read {shard.path} ({shard.plan.unread})"
            if shard.plan.unread is None:
                what = f"{counted(missing, 'block')} of {shard.path} left to do"
            elif not shard.plan.good:
                what = f"{unread}, nothing of it is embedded"
            elif missing:
                blocks = counted(len(shard.plan.blocks), "block")
                what = f"{unread}, {missing} of {blocks} left to do"
            else:
                what = f"{unread}, which was embedded before"
            found.append(f"unfinished: {what}: the same command continues")
    return found


def damage_line(path: str, cause: str) -> str:
    """What to say of a damaged file."""
    return f"damaged: {path} {cause} (nothing of it is embedded: replace it, then run again)"
