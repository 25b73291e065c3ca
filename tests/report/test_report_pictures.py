"""The images that the page shows: which, in what order, beside whom, where on the map, and in what pixels."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from remedis.data import embeddings
from remedis.errors import ReadError
from remedis.report import examples
from remedis.report.projection import project, sample
from remedis.report.thumbnails import LARGE, Sheet, make_sheet
from report_folders import predictions
from synthetic_embeddings import separable

Found = Callable[[str], Any]
PAGE_LIMIT = 5 * 2**20


def row_of(name: str) -> int:
    """The row that a running number such as `image 1,017` means."""
    return int(name.rsplit(maxsplit=1)[-1].replace(",", "")) - 1


def test_examples_are_the_surest_by_their_scores(page: Found) -> None:
    found = page("binary")
    chosen = found.data["labels"][0]["examples"]
    rows = predictions(found.folder, "pneumonia", ["patient_id", "site"])
    place = {image: number for number, image in enumerate(rows["image"])}
    scores, truth = np.array(rows["score_pneumonia"]), np.array(rows["pneumonia"])
    who = list(zip(rows["site"], rows["patient_id"], strict=True))

    def places(kind: str) -> list[int]:
        return [place[f"{row_of(image['name']):05}.png"] for image in chosen[kind]]

    right = (scores >= 0.5) == (truth == 1)
    surety = np.maximum(scores, 1 - scores)
    for kind, allowed, order in (
        ("wrong", np.flatnonzero(~right), -surety), ("nearest", np.arange(len(scores)), abs(scores - 0.5)),
    ):  # fmt: skip
        expected, seen = [], set()
        for number in sorted(allowed, key=lambda number: (order[number], number)):
            if who[number] not in seen:
                seen.add(who[number])
                expected.append(number)
        assert places(kind) == expected[:8]
    taken = places("right")
    assert [truth[number] for number in taken] == [0, 1, 0, 1, 0, 1, 0, 1]
    assert len({who[number] for number in taken}) == 8
    assert all(right[number] for number in taken)
    for code in (0, 1):
        own = [number for number in taken if truth[number] == code]
        best = sorted(surety[right & (truth == code)], reverse=True)
        assert surety[own[0]] == best[0]
        assert surety[own].tolist() == sorted(surety[own], reverse=True)
    for kind in ("right", "wrong", "nearest"):
        assert [image["score"] for image in chosen[kind]] == scores[places(kind)].tolist()
        assert [image["truth"] for image in chosen[kind]] == [str(truth[number]) for number in places(kind)]


def test_of_several_classes_the_likeliest_is_called() -> None:
    scores = np.array([[0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]])
    called, surety, lead = examples.predicted(scores)
    assert called.tolist() == [1, 0, 2]
    assert surety.tolist() == [0.5, 0.4, 0.8]
    assert lead == pytest.approx([0.2, 0.05, 0.7])


@pytest.mark.parametrize("kind", ["binary", "clustered", "external"])
def test_neighbours_are_those_of_scikit_learn(page: Found, kind: str) -> None:
    found = page(kind)
    names = {"external": ("bccd", "jiangxi")}.get(kind, ("emb", "emb"))
    train, test = (embeddings.read(found.folder.parent / name) for name in names)
    (label,) = found.data["labels"]
    classes = [str(value) for value in train.table[label["label"]].to_pylist()]
    words = train.table["split"].to_pylist() if "split" in train.table.column_names else ["train"] * len(classes)
    known = np.array(
        [row for row, name in enumerate(classes) if name in label["classes"] and words[row] == "train"]
    )  # fmt: skip
    scaler = StandardScaler().fit(train.matrix[known].astype(np.float64))
    search = NearestNeighbors(n_neighbors=len(known), metric="cosine").fit(scaler.transform(train.matrix[known]))
    assert len(label["neighbours"]) == 4
    for entry in label["neighbours"]:
        query = row_of(entry["query"]["name"])
        far, near = search.kneighbors(scaler.transform(test.matrix[[query]].astype(np.float64)))
        rows = known[near[0]]
        if kind == "clustered":  # others of the same field are no neighbours
            fields = train.table["field"].to_pylist()
            allowed = [place for place, row in enumerate(rows) if fields[row] != fields[query]]
            rows, far = rows[allowed], far[:, allowed]
        assert [row_of(image["name"]) for image in entry["found"]] == rows[:5].tolist()
        assert [image["similarity"] for image in entry["found"]] == pytest.approx((1 - far[0, :5]).tolist(), abs=1e-5)
        assert [image["truth"] for image in entry["found"]] == [classes[row] for row in rows[:5]]


def test_few_rows_are_laid_out_by_their_principal_components() -> None:
    features = np.random.default_rng(3).normal(size=(9, 20)).astype(np.float32)
    places, how = project(features, seed=0)
    expected = PCA(2).fit_transform(StandardScaler().fit_transform(features.astype(np.float64)))
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1, abs=1e-4)
    ratio = np.ptp(places, axis=0) / np.ptp(expected, axis=0)
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-3)  # one scale for both axes
    assert "principal components" in how
    assert places.min() >= 0
    assert places.max() <= 1


def test_the_map_keeps_neighbours_together_and_is_the_same_twice() -> None:
    codes = np.repeat(np.arange(4), 30)
    features = separable(codes, width=16, distance=8.0).astype(np.float32)
    places, how = project(features, seed=0)
    assert trustworthiness(features, places, n_neighbors=5) > 0.8
    assert np.array_equal(places, project(features, seed=0)[0])
    assert "t-SNE (perplexity 30, seed 0)" in how
    assert places.min() >= 0
    assert places.max() <= 1


@pytest.mark.parametrize("features", [np.zeros((20, 3), np.float32), np.ones((1, 4), np.float32)])
def test_rows_that_are_all_alike_lie_on_one_spot(features: Any) -> None:
    places, _ = project(features, seed=0)
    assert np.array_equal(places, np.full((len(features), 2), 0.5))


@pytest.mark.parametrize(("tested", "others"), [(300, 5000), (5000, 300), (5000, 5000), (10, 20), (700, 0)])
def test_a_map_shows_at_most_a_thousand_rows_half_of_them_tested(tested: int, others: int) -> None:
    rows = np.arange(tested + others)
    one, two = sample(rows[:tested], rows[tested:], seed=0)
    assert len(one) + len(two) == min(1000, tested + others)
    assert len(one) == min(tested, max(500, 1000 - others))
    assert (one < tested).all()
    assert (two >= tested).all()
    assert (np.diff(one) > 0).all()


def test_the_map_colours_by_label_site_and_split(page: Found) -> None:
    found = page("binary").data["map"]
    assert [way["name"] for way in found["ways"]] == ["pneumonia", "site", "split"]
    assert found["shown"] == found["of"] == len(found["points"]) == 160
    for way in found["ways"]:
        assert way["counts"] == [way["codes"].count(number) for number in range(len(way["values"]))]
        assert len(way["codes"]) == 160
    elsewhere = page("external").data["map"]
    assert [way["name"] for way in elsewhere["ways"]] == ["cell", "site", "split"]
    assert elsewhere["ways"][2]["values"] == ["learnt from", "tested"]


def sheet_of(html: str) -> Image.Image:
    (data,) = re.findall(r'url\("data:image/jpeg;base64,([^"]+)"\)', html)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("L")


def test_the_pictures_on_the_page_are_those_of_the_rows(page: Found) -> None:
    found = page("binary")
    sheet = np.asarray(sheet_of(found.html), dtype=float)
    cards = re.findall(r'aria-label="image (\d+), [^"]*" style="([^"]+)"', found.html)
    assert len(cards) == 8 * 3 + 4 * 6
    for number, style in cards:
        wide, high = (float(size) / 100 for size in re.search(r"background-size:([\d.]+)% ([\d.]+)%", style).groups())
        across, down = (float(at) / 100 for at in re.search(r"background-position:([\d.]+)% ([\d.]+)%", style).groups())
        side = sheet.shape[1] / wide
        assert side == pytest.approx(LARGE, abs=0.01)
        assert sheet.shape[0] / high == pytest.approx(LARGE, abs=0.01)
        x, y = round(across * (sheet.shape[1] - side)), round(down * (sheet.shape[0] - side))
        tile = sheet[y : y + LARGE, x : x + LARGE]
        assert abs(tile - 2 * (int(number) - 1) % 256).max() <= 6  # JPEG
        assert "aspect-ratio:1.5000" in style


def noise(key: tuple[str, int]) -> Any:
    return np.random.default_rng(key[1]).integers(0, 256, (70, 50, 3), dtype=np.uint8)


def test_a_thousand_pictures_stay_small_even_of_noise() -> None:
    small = [("test", row) for row in range(1000)]
    sheet = make_sheet(small[:60], small, noise)
    assert len(sheet.tiles) == 1000
    assert len(sheet.large) == 60
    assert len(sheet.data_uri) < 0.6 * PAGE_LIMIT
    tiles = [*sheet.tiles.values(), *sheet.large.values()]
    pixels = np.zeros((sheet.height, sheet.width), dtype=int)
    for tile in tiles:
        pixels[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side] += 1
    assert pixels.max() == 1
    assert pixels.sum() == sum(tile.side**2 for tile in tiles)


def test_a_picture_that_cannot_be_read_is_counted_and_leaves_no_tile() -> None:
    def read(key: tuple[str, int]) -> Any:
        if key[1] == 1:
            raise ReadError("gone")
        return np.full((8, 8, 3), 300, np.uint16)

    sheet = make_sheet([("test", 0), ("test", 1)], [], read)
    assert sheet.unreadable == 1
    assert list(sheet.large) == [("test", 0)]
    assert np.asarray(Image.open(io.BytesIO(sheet.jpeg)))[:LARGE, :LARGE].max() <= 2  # 300 of 65,535 is nearly black
    nothing = make_sheet([("test", 1)], [], read)
    assert isinstance(nothing, Sheet)
    assert (nothing.jpeg, nothing.unreadable) == (b"", 1)
