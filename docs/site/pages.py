"""The site's pages: the repository's own documents, in the repository's own folders.

So a link between two of them that works on the code host works on the site, and none is copied.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
OUTSIDE_DOCS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "elmo/default/README.md",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages in the place of what MkDocs found in docs/."""
    names = list(OUTSIDE_DOCS)
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
            names.append(f"docs/{file.src_uri}")
    for name in names:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files
