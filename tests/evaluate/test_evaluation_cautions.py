"""What figures alone do not say: chance and the wrong way round, told by scikit-learn's AUROC of the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from remedis.evaluate.evaluation import Settings, evaluate, plan
from remedis.evaluate.predictions import open_predictions

WORDS = {"wrong": "the ranking is the wrong way round here", "chance": "holds 0.5, which is chance"}


@pytest.mark.parametrize(
    ("strength", "said"), [(2.0, set()), (0.0, {"chance"}), (-2.0, {"wrong"})], ids=["told", "chance", "wrong way"]
)
def test_a_ranking_at_chance_or_below_is_said(strength: float, said: set[str], tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    truth = np.arange(120) % 2
    scores = 1 / (1 + np.exp(-(strength * truth + random.normal(size=120))))
    table = {"image": [f"{row}.png" for row in range(120)], "patient_id": [f"p{row}" for row in range(120)]}
    pq.write_table(pa.table(table | {"ill": truth, "score_ill": scores, "seen": ["no"] * 120}), tmp_path / "p.parquet")
    settings = Settings(draws=100)
    found = evaluate(plan(open_predictions(tmp_path / "p.parquet"), settings), settings)
    auroc = roc_auc_score(truth, scores)
    assert {"told": auroc > 0.7, "chance": 0.4 < auroc < 0.6, "wrong way": auroc < 0.3}[
        {2.0: "told", 0.0: "chance", -2.0: "wrong way"}[strength]
    ]
    assert {name for name, words in WORDS.items() if any(words in line for line in found.cautions)} == said
