from pathlib import Path

from report.load import load_run
from tests.report.scale import ARMS, FAILED, PASSES, WORKLOADS, rows, write


def test_a_constructed_run_is_as_one_that_was_measured(tmp_path: Path) -> None:
    of_block = len(WORKLOADS) * (len(ARMS) * (5 + len(PASSES)) + 1)
    write(2 * of_block, tmp_path)
    run = load_run(tmp_path)
    assert len(run.trials) == 2 * of_block
    assert set(run.trials["block"]) == {0, 1}
    assert (run.trials["status"] == "error").sum() == 2 * of_block // FAILED
    assert run.trials["position"].is_unique
    of_training = run.trials["scenario"] == "training"
    assert run.chunks.groupby("trial").size()[of_training.to_numpy().nonzero()[0][:9]].eq(24).all()


def test_each_number_of_records_has_a_row(tmp_path: Path) -> None:
    head, rule, first, second = rows([3, 30], tmp_path)
    assert [line.count("|") for line in (head, rule, first, second)] == [7] * 4
    assert [line.split("|")[1].strip() for line in (first, second)] == ["3", "30"]
    assert all(float(cell) >= 0 for cell in second.split("|")[1:-1])
