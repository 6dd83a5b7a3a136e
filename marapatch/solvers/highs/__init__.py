"""HiGHS behind the solver protocol: queries as mixed-integer programs."""
