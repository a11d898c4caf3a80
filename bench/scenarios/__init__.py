"""One file per question asked of a trainer, each with one function ``measure``."""
