"""`uncork verify`: checks certificates of proofs and checks, independently of the engine that found them."""
