"""Does a real device behave as the model says? It is run, step by step, and the model follows what is seen of it."""
