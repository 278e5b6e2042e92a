"""The modelling language as inert data: expressions, systems, properties, traces and verdicts."""
