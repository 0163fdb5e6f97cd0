"""The prefix tree holds every sentence, and every distinct prefix once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.prefix_tree import PrefixTree, build_tree

# Few tokens, so that sentences share prefixes; and a few large ones, as a big vocabulary has.
IDS = st.one_of(st.integers(0, 2), st.sampled_from([70_000, 2**31 - 1]))
SENTENCES = st.lists(st.lists(IDS, max_size=7), max_size=12)


def tree_of(sentences: list[list[int]], reverse: bool) -> PrefixTree:
    ids = np.array([i for s in sentences for i in s], np.int32)
    offsets = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    return build_tree(ids, offsets, reverse)


def level_of(tree: PrefixTree, node: int) -> int:
    return int(np.searchsorted(tree.level_offsets, node, "right")) - 1


def walk(tree: PrefixTree, node: int) -> list[int]:
    """The tokens from a node up to the first level, as read downward."""
    tokens = []
    for level in range(level_of(tree, node), -1, -1):
        tokens.append(int(tree.tokens[node]))
        parent = int(tree.parents[node])
        if level:
            node = int(tree.level_offsets[level - 1]) + parent
            assert level_of(tree, node) == level - 1
        else:
            assert parent == 0
    return tokens[::-1]


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@given(sentences=SENTENCES)
@settings(max_examples=200)
@example(sentences=[])
@example(sentences=[[], []])
@example(sentences=[[], [1], [], [1, 2], []])
@example(sentences=[[1, 2, 3], [1, 2], [2, 3], [1, 2, 3]])
@example(sentences=[[0] * 7, [0] * 7, [0] * 3 + [1]])
def test_the_tree_reproduces_every_sentence(sentences: list[list[int]], reverse: bool) -> None:
    tree = tree_of(sentences, reverse)
    directed = [s[::-1] if reverse else s for s in sentences]
    token = 0
    for sentence in directed:
        nodes = tree.node_of_token[token : token + len(sentence)]
        token += len(sentence)
        for depth, node in enumerate(nodes[::-1] if reverse else nodes):
            assert level_of(tree, node) == depth
            assert walk(tree, node) == sentence[: depth + 1]
    assert token == len(tree.node_of_token)

    prefixes = {tuple(s[: n + 1]) for s in directed for n in range(len(s))}
    assert len(tree.tokens) == len(tree.parents) == len(prefixes)
    assert tree.level_offsets[-1] == len(prefixes)
    assert len(tree.level_offsets) - 1 == max(map(len, sentences), default=0)
    assert (np.diff(tree.level_offsets) > 0).all()


@pytest.mark.parametrize("sentences", [[], [[]], [[], [], []]])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_nothing_makes_an_empty_tree(sentences: list[list[int]], reverse: bool) -> None:
    tree = tree_of(sentences, reverse)
    assert tree.level_offsets.tolist() == [0]
    assert [len(a) for a in (tree.tokens, tree.parents, tree.node_of_token)] == [0, 0, 0]


def test_the_array_types_are_those_of_the_model() -> None:
    for sentences in ([], [[1, 2], [1]]):
        tree = tree_of(sentences, reverse=False)
        assert (tree.tokens.dtype, tree.parents.dtype) == (np.int32, np.int32)
        assert (tree.level_offsets.dtype, tree.node_of_token.dtype) == (np.int64, np.int64)


def test_a_repeated_sentence_costs_nothing() -> None:
    once = tree_of([[3, 1, 2]], reverse=False)
    often = tree_of([[3, 1, 2]] * 50, reverse=False)
    assert often.tokens.tolist() == once.tokens.tolist() == [3, 1, 2]


def test_the_two_directions_share_what_they_can() -> None:
    sentences = [[1, 2, 9], [1, 2, 8], [5, 8]]
    assert len(tree_of(sentences, reverse=False).tokens) == 6
    assert len(tree_of(sentences, reverse=True).tokens) == 7
