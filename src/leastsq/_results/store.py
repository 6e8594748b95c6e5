"""Results in NumPy files, without pickle: arrays, and a line of JSON about them."""

from __future__ import annotations  # so that help() shows types by their names

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import models
from .._input.bounds import Bounds
from .._models.complex import ComplexParts
from .._models.model import CompiledModel, Model
from .._models.sums import Factor, SumModel, is_of_package
from .._solver.problem import Options, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from .result import ManyFits

_FORMAT = 1
# What is kept of a problem beside its model, names and options.
_FACTS = ("absolute_sigma", "vectorized", "weighted", "sandwich", "fixed", "bounded")


class NotSaved:
    """Stands for a model that a file does not hold."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __eq__(self, other: object) -> bool:
        """Return whether another stands for one of the same name, so that parts of a run can be joined.

        Any two lambdas have the same name, and may be different functions.
        """
        if not isinstance(other, NotSaved):
            return NotImplemented
        return self is other or self.__name__ == other.__name__ != "<lambda>"

    def __hash__(self) -> int:
        return hash(self.__name__)

    def __call__(self, *_: Any) -> Any:
        """Say what is missing, by an error that does not pass for a model without value."""
        raise RuntimeError(
            f"the model ({self.__name__}) is not in the file, which holds the names of compiled models only: "
            f"ManyFits.load(file, model=...) takes it"
        )

    def __repr__(self) -> str:
        return f"<model {self.__name__}, not saved>"


def save(self: ManyFits, file: Any) -> None:
    """Save the result to a NumPy file, without pickle.

    Arrays, labels, names and options are kept. The model is where it is one of `leastsq.models`, by its name, or made
    of them; a function is not, and has to be given to `load` again for `predict` and the like.

    Parameters
    ----------
    file : str, path or binary file
        Where to; a name that does not end in ``.npz`` gets that added.

    Raises
    ------
    TypeError
        If labels of groups are neither numbers, dates nor text.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from leastsq import ManyFits, curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> fits = curve_fit_many(models.exponential, t, models.exponential(t, 2.0, 0.5, 0.1) + 0.01 * np.cos(9 * t))
    >>> file = io.BytesIO()  # or a name
    >>> fits.save(file)
    >>> start = file.seek(0)
    >>> again = ManyFits.load(file)
    >>> bool(np.array_equal(again.popt, fits.popt)), again.model
    (True, <compiled model exponential(x, amplitude, rate, offset)>)
    """
    from .._solver.record import ARRAYS

    problem = self.problem
    options = problem.options._asdict()
    options["rho"] = None if options["rho"] is None else getattr(options["rho"], "__name__", "loss")
    options["diag"] = None if problem.options.diag is None else problem.options.diag.tolist()
    about = {
        "format": _FORMAT,
        "names": problem.names,
        "model": getattr(self.model, "__name__", type(self.model).__name__),
        "complex": isinstance(problem.f, ComplexParts),
        "compiled": isinstance(problem.f, CompiledModel),
        "terms": _terms(problem.f),
        "options": options,
        "dims": None if self.coords is None else [name for name, _ in self.coords],
        **{name: getattr(problem, name) for name in _FACTS},
    }
    arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
    if self.bounds is not None:
        arrays |= self.bounds._asdict()
    if self.groups is not None:
        arrays["groups"] = _plain(self.groups)
    for i, (_, labels) in enumerate(self.coords or ()):
        if labels is not None:
            arrays[f"coordinate_{i}"] = _plain(labels)
    np.savez(file, about=np.array(json.dumps(about)), **arrays)


def _terms(f: Any) -> list[list[tuple[str, tuple[str | float, ...]]]] | None:
    """Return what a sum consists of, by names; None unless all its parts are models of the package."""
    if not isinstance(f, SumModel) or not is_of_package(f):
        return None
    return [[(factor.model.__name__, factor.arguments) for factor in term] for term in f.terms]


def _plain(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels as an array that needs no pickle."""
    if not labels.dtype.hasobject:
        return labels
    kinds = sorted({type(one).__name__ for one in labels.flat})
    if labels.dtype.names is not None or len(kinds) > 1 or kinds[0] not in ("str", "int", "float", "bool"):
        raise TypeError(
            f"labels of type {', '.join(kinds)} cannot be saved without pickle; expected numbers, dates or "
            f"text of one type"
        )
    plain = np.array(labels.tolist()).reshape(labels.shape)
    return plain


def load(file: Any, model: Callable[..., Any] | None = None) -> ManyFits:
    """Load a result that `save` has written.

    Parameters
    ----------
    file : str, path or binary file
        The file. Where there is none of that name, ``.npz`` is added, as `save` does. Nothing in it is executed.
    model : callable, optional
        The function that was fitted, where it is neither one of `leastsq.models` nor made of them. Without it, the
        result has no predictions.

    Returns
    -------
    ManyFits
        The result.

    Raises
    ------
    ValueError
        If the file holds no result, or the model has other parameters.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from leastsq import ManyFits, curve_fit_many
    >>> def line(x, a, b):
    ...     return a * x + b
    >>> x = np.arange(4.0)
    >>> file = io.BytesIO()  # or a name
    >>> curve_fit_many(line, x, [2 * x + 1], p0=[1, 1]).save(file)
    >>> start = file.seek(0)
    >>> ManyFits.load(file, model=line).predict([2.0]).round(6).tolist()
    [[5.0]]
    """
    from .._solver.record import ARRAYS
    from .result import ManyFits

    if isinstance(file, (str, os.PathLike)) and not os.path.exists(file):
        file = os.fspath(file)
        file += "" if file.endswith(".npz") else ".npz"
    try:
        opened: Any = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"the file is none that save() has written: {error}") from error
    if not hasattr(opened, "files"):
        raise ValueError("the file holds a single array and no result of leastsq")
    with opened as held:
        if "about" not in held.files:
            raise ValueError(f"the file holds no result of leastsq, but {', '.join(held.files) or 'nothing'}")
        about = json.loads(str(held["about"]))
        if about.get("format") != _FORMAT:
            raise ValueError(f"the file has format {about.get('format')}, this version reads {_FORMAT}")
        arrays = {name: held[name] if name in held.files else None for name in (*ARRAYS, "groups")}
        box = Bounds(held["lower"], held["upper"]) if "lower" in held.files else None
        dims = about["dims"]
        labels = {i: held[f"coordinate_{i}"] for i in range(len(dims or ())) if f"coordinate_{i}" in held.files}
    f = _model(about, model)
    f = ComplexParts(f) if about["complex"] else f
    options = {name: value for name, value in about["options"].items() if name in Options._fields}
    if options.get("rho") is not None:  # a loss of the user's own, of which a file holds the name
        options["rho"] = NotSaved(options["rho"])
    if options["diag"] is not None:
        options["diag"] = np.array(options["diag"])
    problem = Problem(
        f,
        getattr(f, "jac", None) if isinstance(f, Model) else None,
        tuple(about["names"]),
        Options(**options),
        **{**{name: about[name] for name in _FACTS}, "fixed": tuple(about["fixed"])},
        covariances=arrays["pcov"] is not None,
    )
    coords = None if dims is None else tuple((name, labels.get(i)) for i, name in enumerate(dims))
    return ManyFits(**arrays, problem=problem, coords=coords, bounds=box)  # type: ignore[arg-type]


def _model(about: dict[str, Any], given: Any) -> Any:
    """Return the model of a file, or the one given in its place."""
    if given is None:
        terms = about.get("terms") or []
        parts = [name for term in terms for name, _ in term] or ([about["model"]] if about["compiled"] else [])
        if not parts or any(name not in models.__all__ for name in parts):
            return NotSaved(about["model"])
        return _sum_of(terms) if terms else getattr(models, about["model"])
    names = given.param_names if isinstance(given, Model) else None
    if names is not None and tuple(names) != tuple(about["names"]):
        raise ValueError(f"model has the parameters {', '.join(names)}, the file {', '.join(about['names'])}")
    return given


def _sum_of(terms: Any) -> SumModel:
    """Return the sum that a file describes; raise if there is none, rather than hand it to compiled code."""
    found = tuple(tuple(Factor(getattr(models, name), tuple(own)) for name, own in term) for term in terms)
    factors = [factor for term in found for factor in term]
    whole = all(len(factor.arguments) == len(factor.model.param_names) for factor in factors)
    if not all(found) or not whole or len({factor.model.predictors for factor in factors}) != 1:
        raise ValueError(f"the file describes no sum of models: {terms}")
    return SumModel(found)
