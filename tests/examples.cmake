# The examples are run and looked at as a user would, from Python.
if(NOT TARGET hash_tree)
    return()
endif()

chorus_python_test(examples/article 60)
chorus_python_test(examples/tour 180)
chorus_python_test(examples/hash_tree 180)
chorus_python_test(examples/hash_runner 60)
chorus_python_test(examples/thumbnails 60)
chorus_python_test(examples/grep_tree 60)
chorus_python_test(examples/pipeline 60)
chorus_python_test(examples/fetch 60)
chorus_python_test(examples/train 60)
