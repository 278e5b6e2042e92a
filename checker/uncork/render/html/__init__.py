"""What browsers show."""
