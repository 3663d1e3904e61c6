# Protocols on a simulated machine. Nothing of the library is in it: what is compared are its words and orders.
chorus_test(model/protocols TOGETHER)
set_source_files_properties(model/protocols_test.cpp PROPERTIES COMPILE_OPTIONS -O2 SKIP_PRECOMPILE_HEADERS ON)
