"""Shows traces, tables and progress to people and to other programs. Only this package imports rich."""
