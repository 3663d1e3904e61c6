chorus_test(message/serialize)
chorus_test(message/keyword)
chorus_test(message/callable)
chorus_test(message/outcome)
