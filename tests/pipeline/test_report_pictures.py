"""What the report draws: the map and its names, the speed over time, the colours."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from elmo_beam.pipeline.report.labels import Label, placed_labels
from elmo_beam.pipeline.report.page import STYLE
from elmo_beam.pipeline.report.projection import projected
from elmo_beam.pipeline.report.speed import rates, sessions, speed

# --- the map


@pytest.mark.parametrize(("points", "dim"), [(20, 8), (40, 16), (300, 64)])
@pytest.mark.parametrize("far", [1e3, 1e6])
def test_an_outlier_stands_on_the_edge_and_squeezes_nothing(
    points: int, dim: int, far: float
) -> None:
    rng = np.random.default_rng(points)
    vectors = rng.normal(size=(points, dim)).astype(np.float32)
    assert not projected(vectors)[1].any()
    vectors[points // 2] *= far
    places, beyond = projected(vectors)
    assert beyond.tolist() == [i == points // 2 for i in range(points)]
    assert np.isin(places[points // 2], (0.0, 1.0)).any()
    assert (np.ptp(places[~beyond], axis=0) > 0.5).all()


def test_clusters_that_lie_far_apart_are_no_outliers() -> None:
    rng = np.random.default_rng(5)
    middles = rng.normal(size=(12, 32)) * 50
    vectors = np.repeat(middles, 30, axis=0) + rng.normal(size=(360, 32))
    assert not projected(vectors)[1].any()


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(3, 12), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_every_point_is_in_the_picture(vectors: np.ndarray) -> None:
    places, beyond = projected(vectors)
    assert places.shape == (len(vectors), 2) and beyond.shape == (len(vectors),)
    assert ((places >= 0) & (places <= 1)).all()


@given(
    st.lists(
        st.tuples(
            st.floats(0, 640), st.floats(0, 420), st.text("aW界é ", min_size=1, max_size=30),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.sampled_from([15, 27]),
)  # fmt: skip
def test_no_name_covers_another_or_leaves_the_picture(
    wanted: list[tuple[float, float, str, bool]], size: int
) -> None:
    placed = placed_labels([Label(*each) for each in wanted], 640, 420, size)
    boxes = [label.box(size) for label in placed]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= 640 and bottom <= 420
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_names_that_have_room_stand_in_their_place() -> None:
    wanted = [Label(100, 100, "bank"), Label(400, 300, "palm")]
    assert placed_labels(wanted, 640, 420, 15) == wanted


# --- the speed

Times = st.lists(st.tuples(st.floats(0, 50_000), st.integers(0, 5000)), min_size=1, max_size=40)


@given(Times, st.integers(1, 48))
def test_every_token_after_the_first_block_is_drawn(
    blocks: list[tuple[float, int]], bins: int
) -> None:
    blocks = sorted(blocks)
    times, tokens = np.array([b[0] for b in blocks]), np.array([b[1] for b in blocks])
    edges, heights = rates((times, tokens), bins)
    assert len(edges) == len(heights) + 1 and len(heights) <= bins
    drawn = float((heights * np.diff(edges)).sum())
    assert drawn == pytest.approx(tokens[times > times[0]].sum() if len(heights) else 0, abs=1e-3)


@given(st.lists(st.floats(600, 1e6), max_size=5), st.floats(0.5, 20))
def test_a_pause_is_not_slow_work(pauses: list[float], wait: float) -> None:
    steps = [wait] * 60
    for pause in pauses:
        steps += [pause, *([wait] * 60)]
    times = np.cumsum(steps)
    found = sessions((times, np.full(len(times), 100)))
    assert len(found) == len(pauses) + 1
    for stretch in found:
        assert rates(stretch, 48)[1] == pytest.approx(100 / wait)


@pytest.mark.parametrize(
    "waits",
    [
        [200.0, 190.0, 600.0, 210.0, 1000.0, 180.0],
        [90.0, *[0.02] * 99] * 5,  # a hundred workers that began together
        [25.0],
    ],
)
def test_slow_blocks_are_no_pause(waits: list[float]) -> None:
    assert len(sessions((np.cumsum(waits), np.ones(len(waits))))) == 1


def test_what_the_speed_says() -> None:
    times = np.cumsum([10.0] * 20 + [7200.0] + [10.0] * 19)
    html = "".join(speed((times, np.full(40, 500))))
    assert html.count("50 tokens/s, from ") == 2 * html.count("</g>")
    assert "session 2" in html and "Without 1 pause" in html and "6 min" in html
    assert "Too little to draw" in "".join(speed((times[:1], np.ones(1))))
    assert "Too little to draw" in "".join(speed((np.full(9, 5.0), np.ones(9))))
    assert "".join(speed((np.zeros(0), np.zeros(0)))) == ""


# --- the colours

CSS = STYLE.read_text(encoding="utf-8")
SCHEMES = [
    dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
]
LETTERS = ["text", "soft", "link", "bad", *(f"c{i}" for i in range(12))]
SHAPES = ["line", "embedded", "blank", "passed", "rejected"]


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours, by WCAG 2.2's definition."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_what_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark"])
def test_colours_can_be_told_from_what_is_behind_them(scheme: dict[str, str]) -> None:
    assert set(scheme) == {f"--{name}" for name in (*LETTERS, *SHAPES, "back", "marked")}
    for names, least in ((LETTERS, 4.5), (SHAPES, 3.0)):
        for name in names:
            assert contrast(scheme[f"--{name}"], scheme["--back"]) >= least, name
    for name in ("text", "link"):
        assert contrast(scheme[f"--{name}"], scheme["--marked"]) >= 4.5, name


def test_there_are_two_schemes_and_no_other_colours() -> None:
    assert len(SCHEMES) == 2
    rest = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    for value in re.findall(r"(?:color|fill|stroke|background|border|outline): ([^;}]+)", rest):
        words = set(re.findall(r"[#\w-]+", re.sub(r"var\(--[\w-]+\)", "", value)))
        assert words <= {"none", "transparent", "inherit", "1px", "2px", "solid", "0", "important"}
