"""`uncork report`: verdicts and counterexamples, as one page."""
