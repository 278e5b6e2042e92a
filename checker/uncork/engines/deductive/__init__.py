"""The deductive engine: proves properties for all sizes from lemmas and ranks, by small queries to Z3."""

from uncork.engines.deductive.prove import Failure, Judgement, judge, shown

__all__ = ["Failure", "Judgement", "judge", "shown"]
