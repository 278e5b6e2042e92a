"""`uncork measure`: what a policy costs at real sizes, by simulation."""
