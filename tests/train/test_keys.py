"""Random numbers from keys: SplitMix64's own numbers, the laws they follow, and that no key is used twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from references.augmentations import splitmix64
from remedis.train.keys import keys_of, normals, uniforms

WORDS = st.integers(-(2**63), 2**63 - 1)


def signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def finalised(word: int) -> int:
    """Return SplitMix64's output for the word that its state becomes."""
    return splitmix64((word - 0x9E3779B97F4A7C15) % 2**64, 1)[0]


def test_the_reference_is_splitmix64() -> None:
    # published with the algorithm on rosettacode.org, "Pseudo-random numbers/Splitmix64"
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert splitmix64(1234567, 5) == known


@given(key=WORDS, stream=st.integers(0, 50), count=st.integers(1, 9))
def test_uniforms_are_splitmix64_from_the_mixed_key(key: int, stream: int, count: int) -> None:
    start = finalised((key % 2**64) ^ finalised(stream * 0x9E3779B97F4A7C15 % 2**64))
    expected = [(word >> 11) / 2**53 for word in splitmix64(start, count)]
    assert uniforms(torch.tensor([key]), stream, count)[0].tolist() == expected


@given(seed=WORDS, epoch=st.integers(0, 10**6), image=st.integers(0, 10**9), view=st.integers(0, 3))
def test_a_key_is_mixed_of_its_four_parts(seed: int, epoch: int, image: int, view: int) -> None:
    expected = splitmix64(seed % 2**64, 1)[0]
    for part in (epoch, image, view):
        expected = splitmix64(expected ^ part, 1)[0]
    assert keys_of(seed, torch.tensor([epoch]), torch.tensor([image]), view).tolist() == [signed(expected)]


def test_no_two_views_share_a_key() -> None:
    images = torch.arange(300)
    keys = [
        keys_of(seed, torch.full_like(images, epoch), images, view)
        for seed, epoch, view in itertools.product((0, 1, -1, 2**63 - 1), (0, 1, 2, 300), (0, 1))
    ]
    assert len(torch.cat(keys).unique(dim=0)) == 300 * len(keys)


def test_epoch_and_image_do_not_stand_in_for_each_other() -> None:
    three, five = torch.tensor([3]), torch.tensor([5])
    assert keys_of(0, three, five, 0) != keys_of(0, five, three, 0)


def test_a_key_depends_on_its_own_image_only() -> None:
    epochs, images = torch.tensor([0, 1, 2, 3]), torch.tensor([9, 4, 9, 0])
    whole = keys_of(7, epochs, images, 1)
    each = [keys_of(7, epochs[i : i + 1], images[i : i + 1], 1) for i in range(4)]
    assert torch.equal(whole, torch.cat(each))


@pytest.mark.parametrize("count", [1, 7])
def test_the_first_numbers_do_not_depend_on_how_many_are_asked_for(count: int) -> None:
    keys = keys_of(0, torch.zeros(50, dtype=torch.int64), torch.arange(50), 0)
    assert torch.equal(uniforms(keys, 3, count), uniforms(keys, 3, 400)[:, :count])
    assert torch.equal(normals(keys, 3, count), normals(keys, 3, 400)[:, :count])


@pytest.mark.parametrize("along", ["one key", "many keys"])
def test_uniforms_are_uniform(along: str) -> None:
    few = torch.tensor([11])
    many = keys_of(0, torch.zeros(20000, dtype=torch.int64), torch.arange(20000), 0)
    numbers = uniforms(few, 2, 20000)[0] if along == "one key" else uniforms(many, 2, 1)[:, 0]
    assert numbers.dtype == torch.float64
    assert float(numbers.min()) >= 0
    assert float(numbers.max()) < 1
    assert scipy.stats.kstest(numbers.numpy(), "uniform").pvalue > 0.01
    pairs = np.histogram2d(numbers[:-1], numbers[1:], bins=10, range=[[0, 1], [0, 1]])[0]
    assert scipy.stats.chisquare(pairs.ravel()).pvalue > 0.01


def test_normals_are_box_and_mullers() -> None:
    keys = keys_of(0, torch.zeros(20, dtype=torch.int64), torch.arange(20), 0)
    radii, turns = uniforms(keys, 6, 60).numpy().reshape(20, 30, 2).transpose(2, 0, 1)
    expected = np.sqrt(-2 * np.log(1 - radii)) * np.cos(2 * np.pi * turns)
    assert np.abs(normals(keys, 6, 30).numpy() - expected).max() < 1e-13


def test_normals_are_normal() -> None:
    keys = keys_of(0, torch.zeros(200, dtype=torch.int64), torch.arange(200), 0)
    numbers = normals(keys, 1, 101)
    assert numbers.shape == (200, 101)
    assert scipy.stats.kstest(numbers.numpy().ravel(), "norm").pvalue > 0.01
    assert scipy.stats.kstest(numbers.sum(1).numpy() / 101**0.5, "norm").pvalue > 0.01


def test_streams_and_neighbouring_keys_are_independent() -> None:
    keys = keys_of(0, torch.zeros(4000, dtype=torch.int64), torch.arange(4000), 0)
    other = keys_of(0, torch.zeros(4000, dtype=torch.int64), torch.arange(4000), 1)
    numbers = [uniforms(keys, stream, 1)[:, 0] for stream in range(6)] + [uniforms(other, 0, 1)[:, 0]]
    correlation = np.corrcoef(torch.stack(numbers).numpy())
    # the greatest of 21 correlations of 4000 pairs is above 0.06 once in 4000 times
    assert np.abs(correlation - np.eye(len(numbers))).max() < 0.06
