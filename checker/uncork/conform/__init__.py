"""`uncork conform`: runs a real device step by step and checks that the model can follow."""
