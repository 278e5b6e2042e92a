"""The parts that devices and guests are made of: a file each, with its choices, variables and steps."""
