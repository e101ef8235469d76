"""Checks as SQL, verdicts, and the quarantine."""
