"""`uncork explore`: walks through runs by hand."""
