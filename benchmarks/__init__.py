"""What is measured of marapatch: suites, their rows and the pages made of them (see README.md)."""
