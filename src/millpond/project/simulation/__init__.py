"""Made-up data for a template's project: seeded, with a stated share of dirt, and the answers that a run must give."""
