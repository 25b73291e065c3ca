"""How rows are cut into parts and batches, and which device does the work."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from remedis.errors import UsageError
from remedis.models.embed_job import Job, device_of

JOB = Job(
    encoder="e", encoder_hash="h", contract={}, manifest="m", manifest_hash="h", root=None, where=[], rows=1000,
    profile="dicom-display", profile_version=1, fit="squash", image_size=224, precision="fp32", engine="torch",
    device="cpu", dtype="float32", batch_size=32, rows_a_part=128,
)  # fmt: skip


@pytest.mark.parametrize("rows", [1, 31, 32, 127, 128, 129, 1000])
def test_batches_are_all_rows_once_and_none_crosses_a_parts_border(rows: int) -> None:
    job = replace(JOB, rows=rows)
    batches = [batch for part in range(job.parts) for batch in job.batches_of(part)]
    assert [row for batch in batches for row in batch] == list(range(rows))
    assert all(0 < len(batch) <= 32 for batch in batches)
    assert all(batch.start // 128 == (batch.stop - 1) // 128 for batch in batches)


def test_under_torchrun_each_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert device_of(None) == "cuda:0"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device_of(None) == "cuda:1"
    assert device_of("cpu") == "cpu"
    with pytest.raises(UsageError, match="torch sees 2 GPUs"):
        device_of("cuda:2")


def test_without_a_gpu_the_processor_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(None) == "cpu"
    with pytest.raises(UsageError, match="cpu, cuda or cuda:N"):
        device_of("gpu")
