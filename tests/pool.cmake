chorus_test(pool/pool)
chorus_test(pool/worker_death)
chorus_test(pool/completion)
chorus_test(pool/progress)
