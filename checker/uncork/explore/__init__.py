"""`uncork explore`: a run walked by hand."""
