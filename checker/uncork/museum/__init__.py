"""`uncork museum`: bugs of real devices and drivers."""
