"""Code that several commands share: options, budgets, files, and the selection of instances."""
