"""Linear programs kept warm between solves, in HiGHS."""
