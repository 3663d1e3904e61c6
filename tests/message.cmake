chorus_test(message/serialize TOGETHER)
chorus_test(message/keyword TOGETHER)
chorus_test(message/callable TOGETHER)
chorus_test(message/outcome TOGETHER)
