"""From the values that a layer should give to the property of what comes before it.

Equality asks more than is needed: everything here asks less and stays sound, so that every input
that meets the property is decided as wanted (ARCHITECTURE: 6.6, 6.7).

Shapes: J values of the layer, which are the inputs of ``form``; ``values`` (J,), the matrix of the
property that comes out (rows, J).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.patching.marking import layer_signs
from marapatch.problem.conditions import OutputCondition
from marapatch.witnesses.linear_region import region_of

Relaxing = Callable[[StandardForm, Array, OutputCondition], OutputCondition]
"""From values of a layer, and what follows it, to the property of the part before it."""


def relaxed(form: StandardForm, values: Array, condition: OutputCondition) -> OutputCondition:
    """The linear region of ``form`` around ``values``, as rows over its input; sound.

    Every input that meets the rows meets ``condition``. A neuron all of whose paths to the
    condition rise needs no row for its phase: ``relu(z) >= z`` and ``relu(z) >= 0`` err on the
    right side, whatever the phase (marks, ARCHITECTURE: 6.6).
    """
    pattern = tuple(z[0] > 0.0 for z in form.pre_activations(values[None])[0])
    marks = layer_signs(form, condition)[1:-1]
    # A neuron all of whose paths rise is replaced by a line that is never above it. It enters one
    # that has a falling path only where that one has no rising path, and with a negative weight, so
    # that its pre-activation is overstated: inactive by its row, that one is inactive in truth;
    # active, it gives no more than its line says. Both are on the safe side.
    rows = tuple(down for _, down in marks)
    here = region_of(form, np.zeros(values.size), condition, pattern, rows)
    return OutputCondition(here.matrix, here.rhs)


def equalities(form: StandardForm, values: Array, condition: OutputCondition) -> OutputCondition:
    """``z = values``, relaxed where that is sound: ``>=`` where all paths to the condition rise,
    ``<=`` where all fall, nothing where there is none, and ``<= 0`` where a ReLU blocks it."""
    up, down = layer_signs(form, condition)[0]
    blocked = (values <= 0.0) & _rectified(form)
    eye = np.eye(values.size)
    # ReLU makes 0 of every value up to 0. Where rising helps any value does as well as this one, so
    # it has no row; where falling helps all values up to 0 are alike, so the limit is 0.
    at_least, at_most = up & ~blocked, down
    if not (at_least | at_most).any():
        return OutputCondition(np.zeros((1, values.size)), np.array([-1.0]))  # always met
    limit = np.where(blocked, 0.0, values)
    matrix = np.concatenate([eye[at_least], -eye[at_most]])
    return OutputCondition(matrix, np.concatenate([values[at_least], -limit[at_most]]))


def _rectified(form: StandardForm) -> NDArray[np.bool_]:
    """Which inputs of ``form`` go into a ReLU as they are, and nowhere else."""
    alone = form.hidden and all(0 not in m.sources for m in (*form.hidden[1:], form.output))
    if not alone or form.hidden[0].bias.any() or form.hidden[0].outputs != form.inputs:
        return np.zeros(form.inputs, dtype=bool)
    weight = sp.csr_array(form.hidden[0].weights[0])
    same = abs(weight - sp.eye_array(form.inputs)).sum() == 0.0
    return np.full(form.inputs, same)
