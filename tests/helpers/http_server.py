"""A folder behind HTTP on this machine, with ranges, which can break off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote


@dataclass
class Served:
    """url: of the folder. breaks: after how many bytes each coming answer breaks off.

    asked: the path and the first byte of each request so far. etag: what stands for a file's state.
    status: of every answer, if not 0. headers: more of them, or others.
    """

    url: str
    breaks: list[int] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)
    etag: str = '"1"'
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve the files of a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = self.path.partition("?")[0]
            path = folder / unquote(own).rpartition("/")[2]
            if state.status or not path.is_file():
                self.send_error(state.status or 404)
                return
            data, begin = path.read_bytes(), 0
            wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if wanted and self.headers.get("If-Range") == state.etag:
                begin = int(wanted[1])
            state.asked.append((own, begin))
            if begin and begin >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if begin else 200)
            sizes = {"Content-Length": str(len(data) - begin), "ETag": state.etag}
            for name, value in (sizes | state.headers).items():
                self.send_header(name, value)
            self.end_headers()
            breaks = state.breaks.pop(0) if state.breaks else len(data)
            self.wfile.write(data[begin : begin + breaks])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Served(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
