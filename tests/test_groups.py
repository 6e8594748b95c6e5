"""Tables: data sets of unequal length in one call, against calls for one at a time."""

import functools

import numpy as np
import pytest

from leastsq import curve_fit_many, models

RNG = np.random.default_rng(77)
COUNTS = RNG.integers(15, 90, 300)
COUNTS[[7, 19]] = [2, 1]  # too few points
LABELS = np.array([f"sample {i:03d}" for i in range(300)])
IDS = np.repeat(LABELS, COUNTS)
RATES = RNG.uniform(0.5, 2, 300)
T = RNG.uniform(0, 5, IDS.size)
Y = models.exponential(T, 2.0, np.repeat(RATES, COUNTS), 0.3) + RNG.normal(0, 0.02, IDS.size)
SIGMA = RNG.uniform(0.01, 0.03, IDS.size)
MIXED = RNG.permutation(IDS.size)


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


KINDS = {
    "compiled": {"f": models.exponential},
    "jac": {"f": decay, "jac": models.exponential.jac, "p0": [1.5, 1, 0.1]},
    "differences": {"f": decay, "p0": [1.5, 1, 0.1]},
    "singly": {"f": decay, "p0": [1.5, 1, 0.1], "vectorized": False},
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@each_kind
@pytest.mark.parametrize("sigma", [None, SIGMA])
def test_groups_are_fitted_as_each_by_itself(kind, sigma):
    columns = {"xdata": T[MIXED], "ydata": Y[MIXED], "sigma": None if sigma is None else sigma[MIXED]}
    fits = curve_fit_many(**kind, **columns, groups=IDS[MIXED])
    np.testing.assert_array_equal(fits.groups, LABELS)
    np.testing.assert_array_equal(fits.dof, COUNTS - 3)
    assert np.flatnonzero(~fits.success).tolist() == [7, 19]
    assert fits.status[7] == 12
    for i in range(0, 300, 23):
        rows = IDS[MIXED] == LABELS[i]
        own = {name: None if column is None else column[rows] for name, column in columns.items()}
        alone = curve_fit_many(**kind, **own)
        assert alone.nfev == fits.nfev[i]
        # Rows that only fill up change the grouping of sums, and what follows from differences in the last bit.
        np.testing.assert_allclose(fits.popt[i], alone.popt, rtol=1e-7)
        np.testing.assert_allclose(fits.chisq[i], alone.chisq, rtol=1e-9)
        np.testing.assert_allclose(fits.stderr[i], alone.stderr, rtol=1e-6)


@each_kind
def test_lengths_are_groups_that_stand_together(kind):
    by_labels = curve_fit_many(**kind, xdata=T, ydata=Y, groups=IDS)
    by_lengths = curve_fit_many(**kind, xdata=T, ydata=Y, lengths=COUNTS)
    np.testing.assert_array_equal(by_lengths.popt, by_labels.popt)
    np.testing.assert_array_equal(by_lengths.pcov, by_labels.pcov)
    np.testing.assert_array_equal(by_lengths.groups, np.arange(300))


@each_kind
def test_results_do_not_depend_on_workers(kind):
    fit = functools.partial(curve_fit_many, **kind, xdata=T, ydata=Y, groups=IDS)
    one, two = fit(workers=1), fit(workers=2)
    np.testing.assert_array_equal(one.popt, two.popt)
    np.testing.assert_array_equal(one.status, two.status)


def test_many_groups_take_several_pieces(monkeypatch):
    whole = curve_fit_many(models.exponential, T, Y, groups=IDS)
    monkeypatch.setattr("leastsq._input.groups.MOST_FITS", 7)
    small = curve_fit_many(models.exponential, T, Y, groups=IDS)
    np.testing.assert_allclose(small.popt, whole.popt, rtol=1e-7)
    monkeypatch.setattr("leastsq._input.groups.MOST_POINTS", 100)
    small = curve_fit_many(models.exponential, T, Y, groups=IDS)
    np.testing.assert_allclose(small.popt, whole.popt, rtol=1e-7)


def test_starts_of_each_group_are_in_the_order_of_labels():
    truth = np.column_stack([np.full(300, 2.0), RATES, np.full(300, 0.3)])
    fits = curve_fit_many(decay, T[MIXED], Y[MIXED], truth, groups=IDS[MIXED])
    started = curve_fit_many(decay, T[MIXED], Y[MIXED], truth, groups=IDS[MIXED], maxfev=1)
    # One step from the truth, the estimate is still near it.
    assert np.nanmedian(np.abs(started.popt[:, 1] - RATES)) < 0.02
    assert fits.success.sum() == 298


def test_functions_for_starts_see_groups_as_rows():
    seen = []

    def start(x, y):
        seen.append((x.shape, y.shape, np.isnan(y).sum()))
        return np.tile([1.5, 1.0, 0.1], (len(y), 1))

    curve_fit_many(decay, T, Y, start, groups=IDS)
    assert all(x == y for x, y, _ in seen)
    assert any(missing > 0 for _, _, missing in seen)


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat(np.arange(300), COUNTS),
        np.repeat(np.arange(300.0), COUNTS),
        np.repeat(np.datetime64("2026-01-01") + np.arange(300), COUNTS),
        IDS.astype(object),
        IDS.tolist(),
    ],
    ids=["integers", "floats", "dates", "objects", "list"],
)
def test_labels_of_any_kind(labels):
    fits = curve_fit_many(models.exponential, T, Y, groups=labels)
    np.testing.assert_array_equal(fits.popt, curve_fit_many(models.exponential, T, Y, groups=IDS).popt)


def test_missing_points_of_a_table():
    y = Y.copy()
    y[::17] = np.nan
    fits = curve_fit_many(models.exponential, T, y, groups=IDS)
    missing = np.bincount(np.repeat(np.arange(300), COUNTS), np.isnan(y)).astype(int)
    np.testing.assert_array_equal(fits.dof, COUNTS - missing - 3)
    masked = curve_fit_many(models.exponential, T, np.ma.masked_invalid(y), groups=IDS)
    np.testing.assert_array_equal(masked.popt, fits.popt)
    left_alone = curve_fit_many(models.exponential, T, y, groups=IDS, nan_policy="propagate")
    assert (left_alone.status[missing > 0] == 15).all()
    assert (left_alone.status[(missing == 0) & (COUNTS > 2)] != 15).all()
    with pytest.raises(ValueError, match=f"{missing.sum()} of them|of them in"):
        curve_fit_many(models.exponential, T, y, groups=IDS, nan_policy="raise")
    # Rows that only fill up are no missing points.
    assert curve_fit_many(models.exponential, T, Y, groups=IDS, nan_policy="raise").success.sum() == 298


def test_a_group_without_rows_is_a_status():
    fits = curve_fit_many(models.exponential, T[:50], Y[:50], lengths=[20, 0, 30], p0=[2, 1, 0.3])
    assert fits.status[1] == 12
    assert fits.success[[0, 2]].all()


def test_no_groups():
    fits = curve_fit_many(models.exponential, [], [], groups=[])
    assert fits.shape == (0,)
    assert curve_fit_many(models.exponential, [], [], lengths=[]).popt.shape == (0, 3)


def test_several_predictors_of_a_table():
    x, y = RNG.uniform(-3, 3, (2, 4000))
    group = RNG.integers(0, 20, 4000)
    z = models.gaussian_2d((x, y), 3.0, 0.1 * group / 20, 0.0, 1.2, 0.5) + RNG.normal(0, 0.05, 4000)
    fits = curve_fit_many(models.gaussian_2d, (x, y), z, groups=group)
    assert fits.success.all()
    assert np.abs(fits.popt[:, 1] - 0.1 * np.arange(20) / 20).max() < 0.05


def test_tables_of_pandas():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"id": IDS, "t": T, "y": Y}).iloc[MIXED]
    fits = curve_fit_many(models.exponential, table["t"], table["y"], groups=table["id"])
    result = fits.to_dataframe()
    assert result.index.name == "group"
    assert result.index.tolist() == LABELS.tolist()
    assert result.loc["sample 123", "rate"] == fits.popt[123, 1]


def test_tables_of_polars():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"id": IDS, "t": T, "y": Y})[MIXED.tolist()]
    fits = curve_fit_many(models.exponential, table["t"], table["y"], groups=table["id"])
    np.testing.assert_array_equal(fits.groups, LABELS)
    np.testing.assert_allclose(fits.popt, curve_fit_many(models.exponential, T, Y, groups=IDS).popt, rtol=1e-7)


@pytest.mark.slow
def test_groups_as_a_dataset():
    pytest.importorskip("xarray")
    fits = curve_fit_many(models.exponential, T, Y, groups=IDS)
    dataset = fits.to_xarray()
    assert dataset["popt"].dims == ("group", "param")
    assert float(dataset["popt"].sel(group="sample 042", param="rate")) == fits.popt[42, 1]


def test_some_of_the_groups():
    fits = curve_fit_many(models.exponential, T, Y, groups=IDS)
    np.testing.assert_array_equal(fits[3:6].groups, LABELS[3:6])
    np.testing.assert_array_equal(fits[fits.success].groups, np.delete(LABELS, [7, 19]))
    assert fits[5].groups == LABELS[5]


@pytest.mark.parametrize("lengths", [[30, 30, 0], [0, 30, 30], [30, 0, 30], [60, 0, 0]])
def test_groups_without_rows(lengths):
    fits = curve_fit_many(models.exponential, T[:60], Y[:60], lengths=lengths)
    np.testing.assert_array_equal(fits.status == 12, np.array(lengths) == 0)


def test_tables_without_rows():
    for lengths in ([0], [0, 0]):
        fits = curve_fit_many(models.exponential, [], [], sigma=[], lengths=lengths)
        assert fits.status.tolist() == [12] * len(lengths)
    assert curve_fit_many(models.exponential, [], [], groups=[]).shape == (0,)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("lengths", [[20, 20, 20], [10, 20, 30]])
def test_one_standard_deviation_for_all(lengths, vectorized):
    def decay(t, amplitude, rate, offset):
        return amplitude * np.exp(-rate * t) + offset

    for f in (models.exponential, decay):
        one, each = (
            curve_fit_many(f, T[:60], Y[:60], [1, 1, 0], sigma, lengths=lengths, vectorized=vectorized)
            for sigma in (0.1, np.full(60, 0.1))
        )
        assert one.success.all()
        np.testing.assert_array_equal(one.popt, each.popt)
        np.testing.assert_array_equal(one.pcov, each.pcov)


def test_a_guess_for_each_gets_the_rows_of_its_group():
    sizes = []

    def guess(t, y):
        sizes.append((t.size, y.size))
        return [1, 1, 0]

    def decay(t, amplitude, rate, offset):
        return amplitude * np.exp(-rate * t) + offset

    fits = curve_fit_many(decay, T[:60], Y[:60], guess, lengths=[10, 0, 50], vectorized=False)
    assert {(10, 10), (50, 50)} == set(sizes)
    assert fits.status[1] == 12


class Ambiguous:
    """Not available, as pandas says: neither the same as itself nor another."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("ambiguous")


def objects(labels):
    """Return labels of any kind, again and again."""
    found = np.empty(IDS.size, dtype=object)
    for i in range(IDS.size):
        found[i] = labels[i % len(labels)]
    return found


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"groups": IDS[:-1]}, ValueError, "groups has shape"),
        ({"groups": IDS, "lengths": COUNTS}, ValueError, "give one of them"),
        ({"lengths": COUNTS[:-1]}, ValueError, "lengths add up to"),
        ({"lengths": COUNTS * 1.0}, TypeError, "lengths must be whole numbers"),
        ({"lengths": [IDS.size + 1, -1]}, ValueError, "none below 0"),
        ({"groups": np.where(np.arange(IDS.size) == 3, np.nan, 1.0)}, ValueError, "labels are missing"),
        ({"groups": ["a", 1] * (IDS.size // 2) + ["a"] * (IDS.size % 2), "ydata": Y}, None, ""),
        ({"groups": objects([None, "a"])}, ValueError, "labels are missing"),
        ({"groups": objects([2.0, np.nan, 1.0])}, ValueError, "labels are missing"),
        ({"groups": objects(["a", np.nan])}, ValueError, "labels are missing"),
        ({"groups": objects([Ambiguous(), "a"])}, ValueError, "labels are missing"),
        ({"groups": objects([1, "a"])}, TypeError, "several kinds"),
        ({"groups": np.ma.masked_equal(np.arange(IDS.size) // 60, 3)}, ValueError, "60 labels are missing"),
        ({"groups": np.where(np.arange(IDS.size) == 5, "NaT", "2026-01-01").astype("M8[D]")}, ValueError, "in row 5;"),
        ({"groups": IDS, "ydata": Y[None]}, ValueError, "one column of a table"),
        ({"groups": IDS, "axis": 1}, ValueError, "one column of a table"),
        ({"groups": IDS, "xdata": T[:-1]}, ValueError, "xdata has shape"),
        ({"groups": IDS, "sigma": SIGMA[:-1]}, ValueError, "sigma has shape"),
        ({"groups": IDS, "p0": np.ones((299, 3))}, ValueError, "a row for each of the groups"),
        ({"groups": IDS, "p0": np.ones((1, 300, 3))}, ValueError, "a row for each of the groups"),
    ],
)
def test_bad_tables_are_refused_in_words(arguments, error, message):
    call = functools.partial(curve_fit_many, **{"f": models.exponential, "xdata": T, "ydata": Y, **arguments})
    if error is None:  # NumPy makes text of these
        assert call().shape == (2,)
        return
    with pytest.raises(error, match=message):
        call()
