"""URLs that no filesystem is for: one line with a way that works."""

from __future__ import annotations

import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.schemes import check_known
from elmo_beam.transforms.inputs.expand import expand_inputs
from tests.helpers.refusal import refused

HF = "hf://datasets/stanfordnlp/imdb"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("https://host/a b.txt.gz", "fetch it first, as with: curl -LO 'https://host/a b.txt.gz',"),
        ("http://host/*.txt", "curl -LO 'http://host/*.txt', and name the copy"),
        ("ftp://host/a.txt", "curl -LO ftp://host/a.txt,"),
        (
            f"{HF}/plain_text/train.parquet",
            "hf download stanfordnlp/imdb plain_text/train.parquet --repo-type dataset "
            "--local-dir DIR,",
        ),
        (
            f"{HF}@main/*/*.parquet",
            "hf download stanfordnlp/imdb --include '*/*.parquet' --repo-type dataset "
            "--revision main --local-dir DIR,",
        ),
        ("hf://owner/name/a.txt", "hf download owner/name a.txt --local-dir DIR,"),
        ("hf://name", "use a local path, or a URL of "),
        ("azure://account/a.txt", "use a local path, or a URL of "),
        ("S3://bucket/a.txt", "s3://"),
    ],
)
def test_an_input_that_no_filesystem_is_for_is_refused_with_a_way_that_works(
    url: str, remedy: str
) -> None:
    with refused(f"cannot reach {url}", f"is for {url.partition(':')[0]}://", remedy):
        expand_inputs([url])


def test_the_schemes_that_work_are_named_and_those_of_the_extras_always() -> None:
    with pytest.raises(UserError, match=r"azfs://, gs://, hdfs://, s3://$"):
        check_known("azure://account/a", {"hdfs", "azfs"})
    for known in ("gs://b/a", "s3://b/a", "hdfs://host/a", "/a", "no scheme://a", "a://"):
        check_known(known, {"hdfs", "a"})
