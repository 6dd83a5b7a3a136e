"""The change of the input as columns of a linear program: what such a program says of a norm.

Shapes: I inputs, C columns, R rows. L-infinity: a column an entry, so that its radius is a bound of
columns. L1: d = p - m with p, m >= 0, since the least p + m for a given d is |d|: its norm is a sum
of columns, and a radius one row. Source: Bertsimas and Tsitsiklis, "Introduction to Linear
Optimization", section 1.3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.layers import Array, Matrix
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


class Displacement(ABC):
    """The columns of a change d (I,) of the input."""

    linear: bool
    """Whether the norm of d is the sum of the columns: then it can be minimised, and a radius is
    one row; else a radius bounds the columns."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Their number, C."""

    @abstractmethod
    def coefficients(self, matrix: Matrix) -> Matrix:
        """What ``matrix @ d`` is of the columns: (R, C), dense or sparse as ``matrix`` is."""

    @abstractmethod
    def bounds(self, down: Array, up: Array) -> tuple[Array, Array]:
        """Bounds of the columns, where ``-down <= d <= up``: two arrays (C,)."""

    @abstractmethod
    def change(self, values: Array) -> Array:
        """d (I,), of the values of the columns (C,)."""


@dataclass(frozen=True, eq=False)
class PlainDisplacement(Displacement):
    """A column an entry, of ``inputs``."""

    inputs: int
    linear = False

    @property
    def columns(self) -> int:
        """One an entry."""
        return self.inputs

    def coefficients(self, matrix: Matrix) -> Matrix:
        """The matrix itself."""
        return matrix

    def bounds(self, down: Array, up: Array) -> tuple[Array, Array]:
        """Those of the entries."""
        return -down, up

    def change(self, values: Array) -> Array:
        """The values themselves."""
        return values


@dataclass(frozen=True, eq=False)
class SplitDisplacement(Displacement):
    """The entries ``rises`` may go up, by a column each, and ``falls`` down, by one more."""

    inputs: int
    rises: NDArray[np.int64]
    falls: NDArray[np.int64]
    linear = True

    @property
    def columns(self) -> int:
        """One a direction that an entry may go."""
        return self.rises.size + self.falls.size

    def coefficients(self, matrix: Matrix) -> Matrix:
        """Its columns for what rises, and their negatives for what falls."""
        parts = [matrix[:, self.rises], -matrix[:, self.falls]]
        return sp.hstack(parts) if sp.issparse(matrix) else np.hstack(parts)

    def bounds(self, down: Array, up: Array) -> tuple[Array, Array]:
        """From 0 to how far each goes."""
        # The centre lies in the box, so every column may be 0: no change is a change too.
        return np.zeros(self.columns), np.concatenate([up[self.rises], down[self.falls]])

    def change(self, values: Array) -> Array:
        """What rises less what falls."""
        change = np.zeros(self.inputs)
        # A solution may use both columns of an entry, where their sum is not minimised: only the
        # difference means anything. No index stands twice in one array, so ``+=`` loses none.
        change[self.rises] += values[: self.rises.size]
        change[self.falls] -= values[self.rises.size : self.columns]
        return change


def displacement(ball: Ball, *, every: bool = False) -> Displacement:
    """The columns for the norm of ``ball``: of the entries that its box lets move or, with
    ``every``, of all."""
    # The radius is left out: the columns are then the same at every radius, and a program kept warm
    # changes their bounds only.
    down, up = ball.with_radius(np.inf).displacement_bounds
    match ball.norm:
        case Norm.LINF:
            return PlainDisplacement(up.size)
        case Norm.L1:
            # An entry at an edge of the box goes one way only, so one column is enough for it: the
            # background of an image has half as many.
            rises, falls = np.flatnonzero((up > 0.0) | every), np.flatnonzero((down > 0.0) | every)
            return SplitDisplacement(up.size, rises, falls)
        case _:
            raise InputError(f"norm {ball.norm.value} has no linear program")
