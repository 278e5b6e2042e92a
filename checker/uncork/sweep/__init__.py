"""`uncork sweep`: many instances, and a file that keeps what is found."""
