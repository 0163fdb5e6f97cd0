"""`python -m pipeline` is the `elmo-beam` command."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
