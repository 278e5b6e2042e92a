"""Room in the CQ: how it is counted, what an SQ does that finds none, and which SQs are kicked when there is some."""
