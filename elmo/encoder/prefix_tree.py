"""Sentences as a prefix tree, so that a biLM computes every distinct prefix once.

With zero state at the start of a sentence, the state after a token depends only on the prefix that
ends there, so equal prefixes share one node. Suffixes are prefixes of reversed sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PrefixTree:
    """The distinct prefixes of some sentences, level by level from the single-token ones.

    tokens: int32 [nodes], the token that ends each prefix.
    parents: int32 [nodes], the prefix without it, as an index into the level before
        (0 on the first level, where the parent is the sentence boundary).
    level_offsets: int64 [levels + 1], where each level's nodes begin.
    node_of_token: int64 [tokens], for each token of each sentence, the prefix that it ends.
    """

    tokens: np.ndarray
    parents: np.ndarray
    level_offsets: np.ndarray
    node_of_token: np.ndarray


def build_tree(ids: np.ndarray, offsets: np.ndarray, reverse: bool) -> PrefixTree:
    """The tree of sentences `ids[offsets[i]:offsets[i + 1]]`, read backward if `reverse`.

    ids: int [tokens], not negative; offsets: int64 [sentences + 1].
    """
    lengths = np.diff(offsets)
    active = np.flatnonzero(lengths > 0)
    # Longest first: the sentences that reach a level are then always the first ones.
    active = active[np.argsort(-lengths[active], kind="stable")]
    # reach[t]: how many sentences are longer than t tokens.
    reach = len(active) - np.searchsorted(
        np.sort(lengths[active]), np.arange(1, 1 + _longest(lengths))
    )
    first = offsets[1:][active] - 1 if reverse else offsets[:-1][active]
    step = -1 if reverse else 1

    vocabulary = int(ids.max(initial=0)) + 1
    node_of_token = np.zeros(len(ids), np.int64)
    tokens, parents, level_offsets = [], [], [0]
    node = np.zeros(len(active), np.int64)  # each sentence's node on the level before
    shared = True
    for level, count in enumerate(reach):
        position = first[:count] + step * level
        token, parent = ids[position].astype(np.int64), node[:count]
        if shared:
            key, node = np.unique(parent * vocabulary + token, return_inverse=True)
            parent, token = np.divmod(key, vocabulary)
            # Once every sentence has a node of its own, no deeper prefix can be shared.
            shared = len(key) < count
        else:
            node = np.arange(count)
        node_of_token[position] = node + level_offsets[-1]
        tokens.append(token)
        parents.append(parent)
        level_offsets.append(level_offsets[-1] + len(token))
    return PrefixTree(
        _joined(tokens), _joined(parents), np.array(level_offsets, np.int64), node_of_token
    )


def _longest(lengths: np.ndarray) -> int:
    return int(lengths.max(initial=0))


def _joined(levels: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*levels, np.zeros(0, np.int64)]).astype(np.int32)
