"""A script a suite: what is asked, of whom, and for how long."""
