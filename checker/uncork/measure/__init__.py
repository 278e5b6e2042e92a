"""`uncork measure`: measures the costs of a policy at real sizes, by simulation."""
