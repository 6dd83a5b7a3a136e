"""Engines that answer a :class:`~marapatch.query.Query`, behind one protocol."""
