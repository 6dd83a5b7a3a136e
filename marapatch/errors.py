"""The errors marapatch raises. A timeout is a verdict, not an error."""


class MarapatchError(Exception):
    """Base of all errors raised on purpose by marapatch."""


class InputError(MarapatchError, ValueError):
    """The user's input cannot be used; the message says what was found and what to do."""


class UnsupportedOperatorError(MarapatchError, NotImplementedError):
    """The network file uses an operator, or a form of one, that marapatch does not read."""


class BackendError(MarapatchError, RuntimeError):
    """A solver could not be started or broke its protocol (not: ran out of time)."""


class ScopeError(MarapatchError, RuntimeError):
    """Bounds were used outside the region, target or phases for which they were computed."""


class ContradictionError(MarapatchError, RuntimeError):
    """Two pieces of evidence cannot both be true; neither is trusted and nothing is repaired."""
