"""Many fits in one call: what is reported meanwhile."""

import re
import sys
import types

import numpy as np
import pytest
from many_decays import DATA, MistakeError, T

from leastsq import (
    curve_fit_many,
    models,
)

# --- Progress ---


def test_progress_is_reported_to_a_callable(small_pieces):
    reports = []
    data = DATA.copy()
    data[40:50] = np.nan
    fits = curve_fit_many(models.exponential, T, data, progress=lambda *report: reports.append(report))
    done, totals, failed = zip(*reports, strict=True)
    assert done == tuple(min(15 * (k + 1), 200) for k in range(14))
    assert set(totals) == {200}
    assert list(failed) == sorted(failed)
    assert failed[-1] == 10 == (~fits.success).sum()


def test_progress_without_tqdm_is_a_line(small_pieces, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    data = DATA.copy()
    data[0] = np.nan
    curve_fit_many(models.exponential, T, data, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"(\r.*)*\r200/200 fits, \d+ fits/s, 1 failed *\n", err)


def test_progress_with_tqdm_is_a_bar(small_pieces, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.n, self.shown, self.closed = options, 0, {}, False
            bars.append(self)

        def set_postfix(self, refresh, **shown):
            self.shown = shown

        def update(self, by):
            self.n += by

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    data = DATA.copy()
    data[0] = np.nan
    curve_fit_many(models.exponential, T, data, progress=True)
    (bar,) = bars
    assert (bar.options["total"], bar.n, bar.shown, bar.closed) == (200, 200, {"failed": 1}, True)
    with pytest.raises(MistakeError):
        curve_fit_many(
            models.exponential, T, data, progress=True, workers=lambda f, pieces: (_ for _ in ()).throw(MistakeError)
        )
    assert bars[1].closed


def test_progress_with_the_real_tqdm(capsys):
    pytest.importorskip("tqdm")
    curve_fit_many(models.exponential, T, DATA, progress=True)
    assert "200/200" in capsys.readouterr().err.replace(".00", "")


def test_without_progress_nothing_is_printed(capsys):
    curve_fit_many(models.exponential, T, DATA)
    assert capsys.readouterr() == ("", "")
