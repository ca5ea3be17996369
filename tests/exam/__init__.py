"""A public exam: incidents in folders, with what was broken, and a score for whatever diagnoses them."""
