chorus_test(channel/queue)
chorus_test(channel/queue_items)
