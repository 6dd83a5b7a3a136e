"""The trusted mathematical kernel of marapatch: terms, encodings and their semantics.

No ONNX, no solver, no input or output; each encoding says in its docstring whether it is exact,
what it costs and where it comes from, and is tested against :mod:`marapatch_encodings.semantics`.
"""

from marapatch_encodings.absolute import absolute, absolute_native
from marapatch_encodings.cardinality import cardinality
from marapatch_encodings.clip import clip
from marapatch_encodings.decision import (
    Rule,
    any_of,
    beats,
    each_beats,
    linear_condition,
    one_beats,
    untargeted,
)
from marapatch_encodings.l1_ball import (
    L1_FORMS,
    L1Form,
    l1_ball,
    l1_ball_abs,
    l1_ball_relu,
    l1_ball_split,
    l1_radius,
)
from marapatch_encodings.leaky import leaky
from marapatch_encodings.linear import linear
from marapatch_encodings.linf_ball import linf_ball, linf_radius
from marapatch_encodings.maximum import maximum, maximum_native
from marapatch_encodings.relu import relu
from marapatch_encodings.semantics import holds, violation, worst_violation
from marapatch_encodings.terms import (
    Abs,
    Constraint,
    Disjunction,
    Encoding,
    Max,
    Relu,
    Row,
    Sense,
    Variable,
    VariablePool,
    dense_row,
    row,
)

__all__ = [
    "L1_FORMS",
    "Abs",
    "Constraint",
    "Disjunction",
    "Encoding",
    "L1Form",
    "Max",
    "Relu",
    "Row",
    "Rule",
    "Sense",
    "Variable",
    "VariablePool",
    "absolute",
    "absolute_native",
    "any_of",
    "beats",
    "cardinality",
    "clip",
    "dense_row",
    "each_beats",
    "holds",
    "l1_ball",
    "l1_ball_abs",
    "l1_ball_relu",
    "l1_ball_split",
    "l1_radius",
    "leaky",
    "linear",
    "linear_condition",
    "linf_ball",
    "linf_radius",
    "maximum",
    "maximum_native",
    "one_beats",
    "relu",
    "row",
    "untargeted",
    "violation",
    "worst_violation",
]
