"""Properties in VNN-LIB: is there an input that the specification allows?"""
