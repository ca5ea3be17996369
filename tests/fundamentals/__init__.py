"""A tour of the product in a dozen tests. Read the files in order: journal, then pipeline."""
