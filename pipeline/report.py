"""The end of a run: manifest.json, _SUCCESS, and the summary that a person reads."""

from __future__ import annotations

import json
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.folder import versions
from pipeline.progress import duration
from pipeline.state import RunState
from transforms.layout import Layout
from transforms.settings import Settings
from transforms.storage import delete, exists, read_bytes, write_bytes

KILOBYTE = 1 if sys.platform == "darwin" else 1024  # in which the system counts memory


@dataclass(frozen=True)
class Session:
    """What this command did of the run: seconds in all, tokens embedded, seconds to load a model.

    peak_memory: as `peak_memory` finds it.
    """

    seconds: float = 0.0
    tokens: int = 0
    model_load: float | None = None
    peak_memory: int = 0


def peak_memory() -> int:
    """Bytes, of this process or of its largest child."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(w).ru_maxrss * KILOBYTE for w in who)
    status = Path("/proc/self/status")
    if status.exists():
        # Linux also counts as a process's own what the one that started it once took.
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        own = int(found[1]) * KILOBYTE if found else own
    return max(own, child)


def manifest_of(state: RunState, settings: Settings, session: Session) -> dict[str, Any]:
    """The accounts of a run, shard by shard and in all, beside its settings and figures."""
    return {
        **_accounts(state),
        "shards": [{"shard": s.path, **_accounts(RunState([s]))} for s in state.shards],
        "damaged": [
            {"shard": s.path, "cause": s.plan.damaged}
            for s in state.shards
            if s.plan and s.plan.damaged
        ],
        "settings": settings.to_json(),
        "versions": versions(),
        "figures": {
            "bytes": state.total("bytes"),
            "steps": state.total("steps"),
            "nodes": state.total("nodes"),
            "token_lookups": state.total("lookups"),
            "token_cache_misses": state.total("misses"),
            "session_seconds": round(session.seconds, 1),
            "session_tokens": session.tokens,
            "model_load_seconds": session.model_load,
            "peak_memory_bytes": session.peak_memory,
        },
    }


def _accounts(state: RunState) -> dict[str, Any]:
    return {
        "complete": state.complete,
        "lines": state.total("lines"),
        "embedded": state.total("embedded"),
        "blank": state.total("blank"),
        "rejected": state.rejected,
        "rows": state.total("rows"),
        "tokens": state.total("tokens"),
        "blocks": len(state.accounts),
    }


def finish(layout: Layout, state: RunState, settings: Settings, session: Session) -> None:
    """Write the manifest, and _SUCCESS where every line of every input is accounted for.

    A session that embedded nothing leaves the manifest as it is, with the figures of the one that
    did.
    """
    manifest = manifest_of(state, settings, session)
    if session.tokens or manifest_accounts(layout) != accounts_in(manifest):
        data = (json.dumps(manifest, indent=2) + "\n").encode()
        write_bytes(layout.root, layout.manifest, data)
    if not state.complete:
        delete(layout.success)
    elif not exists(layout.success):
        write_bytes(layout.root, layout.success, b"\n")  # S3 takes no empty upload


def accounts_in(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of the text, less the settings and figures of the run."""
    return {k: v for k, v in manifest.items() if k not in ("settings", "versions", "figures")}


def manifest_accounts(layout: Layout) -> dict[str, Any] | None:
    """What the manifest on record says of the text, None where none can be read."""
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
                "so give an --output that all of them reach"
            )
        elif shard.plan.damaged is not None:
            found.append(damage_line(shard.path, shard.plan.damaged))
        elif not shard.complete:
            missing = len(shard.plan.blocks) - len(shard.done)
            found.append(f"unfinished: {missing} blocks of {shard.path}; run the command again")
    return found


def damage_line(path: str, cause: str) -> str:
    """What to tell of a damaged file."""
    return f"damaged: {path} {cause} (nothing of it is embedded: replace it, then run again)"


def summary(layout: Layout, state: RunState, session: Session) -> str:
    """A run in a dozen lines."""
    total = state.total
    rejected = state.rejected
    steps, lookups = total("steps"), total("lookups")
    rows = [
        ("lines", f"{total('lines'):,}"),
        (
            "  embedded",
            f"{total('embedded'):,}  ({total('rows'):,} rows, {total('tokens'):,} tokens)",
        ),
        ("  blank", f"{total('blank'):,}"),
        ("  rejected", f"{sum(rejected.values()):,}"),
        *((f"    {reason}", f"{n:,}") for reason, n in sorted(rejected.items())),
        ("output", f"{total('bytes') / 1e6:,.1f} MB in {len(state.accounts):,} parts"),
    ]
    for shard in state.shards:
        of_shard = RunState([shard])
        if of_shard.rejected and not of_shard.total("embedded"):
            why = ", ".join(of_shard.rejected)
            rows.append(("note", f"nothing of {shard.path} is embedded ({why}): check the flags"))
    if steps:
        nodes = total("nodes")
        ratio = f"{nodes / steps:.1%} of the {steps:,} of one a token and direction"
        rows.append(("LSTM steps", f"{nodes:,}, {ratio}"))
    if lookups:
        rows.append(("token cache", f"{1 - total('misses') / lookups:.1%} of lookups found"))
    if session.tokens:
        rate = session.tokens / session.seconds
        rows.append(
            (
                "this session",
                f"{session.tokens:,} tokens in {duration(session.seconds)}, {rate:,.0f} tokens/s "
                "with start-up",
            )
        )
    if session.model_load is not None:
        rows.append(("model load", f"{session.model_load:.1f} s"))
    if session.peak_memory:
        rows.append(("peak memory", f"{session.peak_memory / 1e9:.2f} GB a process"))
    width = max(len(name) for name, _ in rows)
    return "\n".join([layout.root, *(f"  {name:<{width}}  {value}" for name, value in rows)])
