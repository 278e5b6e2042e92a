"""The state of a machine: what guest and device share, what each keeps to itself, and who acts."""
