"""`uncork report`: writes verdicts and counterexamples as one HTML page."""
