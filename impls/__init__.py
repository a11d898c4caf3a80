"""The implementations: one folder per framework, the same files, names and order in each."""
