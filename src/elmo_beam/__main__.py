"""`python -m elmo_beam` is the `elmo-beam` command."""

import os
import sys

if __name__ == "__main__":
    # Python searches the current folder first, where any file may have the name of a module.
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    from elmo_beam.pipeline.cli import main

    main()
