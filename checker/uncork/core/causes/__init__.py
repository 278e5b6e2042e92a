"""Why a run refutes a property: what waits, and the last wake-up that it missed, in a sentence or two."""
