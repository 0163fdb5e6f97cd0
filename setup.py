"""Packaging: one package, `elmo_beam`, with the default model inside, and two commands."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text(encoding="utf-8")
INIT = (HERE / "src" / "elmo_beam" / "__init__.py").read_text(encoding="utf-8")
VERSION = re.findall(r'__version__ = "(.+)"', INIT)[0]
RELATIVE_LINK = re.compile(r"!?\[([^\]]*)\]\((?!\w+:)([^)#]*)[^)]*\)")


def named(link: re.Match[str]) -> str:
    """A link into the repository as a package index can show it: its text, and the file."""
    text, file = link.groups()
    return text if file in ("", text) else f"{text} ({file})"


setup(
    name="elmo-beam",
    version=VERSION,
    description="Turn large text corpora into ELMo embeddings with Apache Beam",
    long_description=RELATIVE_LINK.sub(named, README),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["elmo", "embeddings", "nlp", "apache-beam", "tensorflow", "parquet", "tfrecord"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Text Processing :: Linguistic",
        "Typing :: Typed",
    ],
    # src/elmo_beam holds links to the three floors, which stay at the top of the repository.
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={
        "elmo_beam": ["py.typed"],
        "elmo_beam.elmo": ["default/*"],
        "elmo_beam.pipeline.report": ["page.css", "page.js"],
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        # transforms/beam_internals.py uses names that Beam keeps to itself: hence the upper bound.
        "apache-beam>=2.77,<2.78",
        "h5py>=3.11",
        "numpy>=1.26",
        "psutil>=5.9",
        "pyarrow>=18",
        "requests>=2.31",
        "sacremoses>=0.1.1",
        "sentencex>=1.0",
        "setuptools<81",  # tensorflow-hub imports pkg_resources
        "tensorflow>=2.21,<3",
        "tensorflow-hub>=0.16.1",
        "tqdm>=4.60",
        "wrapt>=1.15",
        "zstandard>=0.19",
    ],
    extras_require={
        "aws": ["apache-beam[aws]"],
        "gcp": ["apache-beam[gcp]"],
        "test": [
            "datasets",
            "duckdb",
            "faiss-cpu",
            "flask",  # these three: an S3 server for the tests
            "flask-cors",
            "moto[s3]",
            "hypothesis",
            "ipykernel",  # these three: for the notebooks
            "matplotlib",
            "nbclient",
            # These two, for the site, have left Python 3.10 behind.
            "mkdocs-material; python_full_version >= '3.11.5'",
            "mkdocstrings[python]; python_full_version >= '3.11.5'",
            "mypy",
            "pandas",
            "polars",
            "pytest",
            "pytest-xdist",
            "readme-renderer[md]",
            "ruff",
            "scikit-learn",  # for the examples
            "twine",
            "types-psutil",
        ],
    },
    entry_points={
        "console_scripts": [
            "elmo-beam = elmo_beam.__main__:main",
            "elmo-beam-worker = elmo_beam.pipeline.worker:main",
        ]
    },
)
