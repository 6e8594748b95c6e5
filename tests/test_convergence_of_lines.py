"""Straight lines over large origins, whose two columns are the same to nine digits and more."""

import pytest
from test_convergence import LINES, ends, random_displacement

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]


@pytest.mark.parametrize("seed", range(LINES, 240, 4))
def test_nothing_counts_as_solved_more_than_half_a_standard_error_off(seed):
    case = random_displacement(seed)
    x, y, p0 = case.made()
    for door, popt in ends(case, x, y, p0):
        if popt is not None:
            distance, _ = case.distance(x, y, popt)
            assert distance < 0.5, door
