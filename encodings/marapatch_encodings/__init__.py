"""The trusted mathematical kernel of marapatch: terms, encodings and their semantics.

No ONNX, no solver, no input or output; each encoding says in its docstring whether it is exact,
what it costs and where it comes from, and is tested against :mod:`marapatch_encodings.semantics`.
"""
