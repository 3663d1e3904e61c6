chorus_test(message/serialize WHOLE)
chorus_test(message/keyword WHOLE)
chorus_test(message/callable WHOLE)
chorus_test(message/outcome WHOLE)
