"""Packaging: the three floors, the default model inside, and the `elmo-beam` command."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.findall(r'__version__ = "(.+)"', (HERE / "pipeline" / "__init__.py").read_text())[0]

setup(
    name="elmo-beam",
    version=VERSION,
    description="Turn large text corpora into ELMo embeddings with Apache Beam",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=["elmo", "elmo.training", "transforms", "pipeline"],
    package_data={
        "elmo": ["default/*", "py.typed"],
        "transforms": ["py.typed"],
        "pipeline": ["py.typed"],
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        "apache-beam>=2.77,<3",
        "h5py>=3.11",
        "numpy>=1.26",
        "pyarrow>=18",
        "sacremoses>=0.1.1",
        "sentencex>=1.0",
        "setuptools<81",  # tensorflow-hub imports pkg_resources
        "tensorflow>=2.21,<3",
        "tensorflow-hub>=0.16.1",
    ],
    extras_require={
        "aws": ["apache-beam[aws]"],
        "gcp": ["apache-beam[gcp]"],
        "test": [
            "datasets",
            "duckdb",
            "hypothesis",
            "mypy",
            "pandas",
            "polars",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scikit-learn",  # for the examples
        ],
    },
    entry_points={
        "console_scripts": [
            "elmo-beam = pipeline.cli:main",
            "elmo-beam-worker = pipeline.worker:main",
        ]
    },
)
