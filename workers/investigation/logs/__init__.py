"""Log lines to records, and similar records to patterns. Pure."""
