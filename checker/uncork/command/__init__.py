"""What the commands share: options, budgets, files, and from filters to instances."""
