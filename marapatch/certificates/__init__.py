"""Trees as files, and their check by arithmetic that the search does not share."""
