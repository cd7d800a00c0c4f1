"""Student's t: its distribution, its quantiles, and the power of a test that rests on few runs.

In: values and whole degrees of freedom. Out: probabilities. Sources: Abramowitz and Stegun 26.7.3 and 26.7.4 (the
distribution as a finite sum), 26.7.5.
Trap: with few runs the normal distribution promises too much: of 7 runs the bound of a one-sided 1 % test is at 3.1
standard errors, not at 2.3.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from bench.report.stats import Floats

GRID = 400
"""Points over which a spread that is not known is averaged."""
RESOLUTION = 1e-7
"""How near a change is to the one sought, as a share of it."""
MANY = 100
"""Degrees of freedom from which the sum has too many terms, and an expansion is as good."""
_NORMAL = NormalDist()


def t_cdf(values: Floats, freedom: int) -> Floats:
    """The probability of at most each of `values` (infinities allowed)."""
    angle = np.arctan(np.asarray(values, dtype=np.float64) / math.sqrt(freedom))
    sine, cosine = np.sin(angle), np.cos(angle)
    even = freedom % 2 == 0
    term = np.ones_like(angle) if even else cosine
    total = np.zeros_like(angle)
    for step in range(2 if even else 3, freedom + 1, 2):
        total = total + term
        term = term * np.square(cosine) * (step - 1) / step
    inside = sine * total if even else (angle + sine * total) * 2 / math.pi
    found: Floats = 0.5 + inside / 2
    return found


@lru_cache(maxsize=256)
def t_quantile(share: float, freedom: int) -> float:
    """The value that a share of `share` does not pass, for 0 < share < 1."""
    if share < 0.5:
        return -t_quantile(1 - share, freedom)
    if freedom > MANY:
        return _expanded(_NORMAL.inv_cdf(share), freedom)
    low, high = 0.0, 1.0
    while float(t_cdf(np.array([high]), freedom)[0]) < share:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if float(t_cdf(np.array([middle]), freedom)[0]) < share else (low, middle)
    return (low + high) / 2


def _expanded(z: float, freedom: int) -> float:
    """A normal quantile as one of t (Abramowitz and Stegun 26.7.5): exact to six digits from 100 degrees on."""
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return z + sum(term / float(freedom) ** place for place, term in enumerate(terms, start=1))


def power(change: float, error: float, bound: float, least: float, freedom: int) -> float:
    """How often a true `change` passes both `bound` times its estimated standard error and `least`.

    `error` is the true standard error of the change. Its estimate is drawn from the chi distribution of `freedom`, and
    the change from the normal one: the power of a t test (Johnson and Welch 1940), with a second bound.
    """
    spread, weights = _chi(freedom)
    needed = np.maximum(bound * error * spread, least)
    # `math.erf` on plain floats is several times as fast as a method of `NormalDist`; a gate asks for it often.
    scaled = ((change - needed) / (error * math.sqrt(2))).tolist()
    passes = 0.5 + 0.5 * np.array([math.erf(each) for each in scaled])
    return float((passes * weights).sum())


def detectable(error: float, bound: float, least: float, freedom: int, wanted: float) -> float:
    """The smallest true change that is found with probability `wanted`."""
    if error <= 0:
        return least
    low, high = 0.0, least + 2 * bound * error + 4 * error
    while power(high, error, bound, least, freedom) < wanted:
        high *= 2
    while high - low > RESOLUTION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, error, bound, least, freedom) < wanted else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=64)
def _chi(freedom: int) -> tuple[Floats, Floats]:
    """Values of (estimated / true standard error), each with its weight: the chi distribution, at midpoints."""
    reach = math.sqrt(freedom) + 7
    roots = (np.arange(GRID) + 0.5) * reach / GRID
    log_density = (freedom - 1) * np.log(roots) - np.square(roots) / 2
    density = np.exp(log_density - log_density.max())
    spread: Floats = roots / math.sqrt(freedom)
    weights: Floats = density / density.sum()
    for array in (spread, weights):
        array.flags.writeable = False
    return spread, weights
