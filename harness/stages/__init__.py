"""The stages of a run, one module each; `harness.cycle` and `recovery` say in which order."""
