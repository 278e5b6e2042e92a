; Why positions on a ring may stand for what a guest computes in 16 bits (NVMe 2.x Annex B.5): for every size of the
; ring from 2 to 65,536 and indices on it, (u16)(new - event) <= (u16)(new - old)
; says what the model says with distances. Indices are 18 bits wide, so that no sum here overflows.
(set-logic QF_BV)
(declare-const size (_ BitVec 18))
(declare-const old (_ BitVec 18))
(declare-const new (_ BitVec 18))
(declare-const event (_ BitVec 18))
(assert (bvule #b000000000000000010 size))
(assert (bvule size #b010000000000000000))
(assert (bvult old size))
(assert (bvult new size))
(assert (bvult event size))
(define-fun distance ((to (_ BitVec 18)) (since (_ BitVec 18))) (_ BitVec 18)
  (ite (bvule since to) (bvsub to since) (bvsub (bvadd to size) since)))

(echo "need-event, closed: 16 bits are the ring")
(assert (not (=
  (bvule ((_ extract 15 0) (bvsub new event)) ((_ extract 15 0) (bvsub new old)))
  (bvule (distance event old) (distance new old)))))
(check-sat)
