"""What nobody should overlook about an encoder on some images: what a run of ours has seen of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from remedis.data.manifest import Manifest
from remedis.models.architectures import architecture
from remedis.models.card import Facts
from remedis.models.contract import Contract
from remedis.models.embed import cautions
from remedis.models.encoder import Encoder
from remedis.models.load import random_encoder


def _encoder(**extra: object) -> Encoder:
    encoder = random_encoder(architecture("resnet18-cifar"), Contract(size=8), seed=0)
    encoder.facts = Facts(extra=extra)
    return encoder


def _manifest(data_set: str) -> Manifest:
    return Manifest(pa.table({"image": ["a.png"]}), Path(), {"data_set": data_set}, None)


@pytest.mark.parametrize(("left_out", "warned"), [(0, True), (120, False)])
def test_a_run_that_saw_the_whole_data_set_is_warned_of(left_out: int, warned: bool) -> None:
    run = {"data_set": "crc", "left_out": left_out}
    found = cautions(_encoder(seen=["crc"], pretraining=run), _manifest("crc"))
    assert any("pretrained, without labels, on all images of crc" in line for line in found) == warned
    assert len(found) == warned  # and nothing else is said of a training part


def test_a_run_on_other_images_is_not_warned_of_and_what_it_started_from_is() -> None:
    encoder = _encoder(seen=["TCGA", "crc"], pretraining={"data_set": "crc", "left_out": 0})
    assert cautions(encoder, _manifest("white-cells")) == []
    [line] = cautions(encoder, _manifest("TCGA-BRCA"))
    assert "has learnt from images of TCGA" in line
