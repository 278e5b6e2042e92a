"""`uncork new`: writes starting files for devices, guests and policies of one's own."""
