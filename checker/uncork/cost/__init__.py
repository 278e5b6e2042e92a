"""`uncork cost`: what a policy costs, exactly."""
