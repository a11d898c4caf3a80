"""One file for each family of tables: from the trials of a section to a table that can be shown."""
