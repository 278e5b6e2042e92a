"""What stands in files of the user's own: policies, devices and guests."""
