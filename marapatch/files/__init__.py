"""Files in and out: read within the limit of memory, written whole or not at all."""
