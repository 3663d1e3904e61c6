# cmake -DBUILD=… -DPREFIX=… -P into_fresh_prefix.cmake: nothing of an earlier install is left there.
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} COMMAND_ERROR_IS_FATAL ANY)
