# What users of 0.1 included, for one release: the compiler says the new name.
set(old_names
    channel/pipe           pipe
    channel/queue          queue
    channel/thread_queue   thread_queue
    channel/wait           wait
    memory/raw_value       value
    memory/shareable_list  shareable_list
    memory/shared_memory   shared_memory
    message/keyword        keyword
    message/serialize      serialize
    pool/pool              pool
    pool/progress          progress
    pool/task_group        task_group
    sync/barrier           barrier
    sync/condition         condition
    sync/event             event
    sync/lock              lock
    sync/semaphore         semaphore
    sync/stop_token        stop_token
    sync/value             value
    worker/call            run
    worker/completion      future
    worker/context         context
    worker/future          future
    worker/local           thread
    worker/print           print
    worker/process         process
    worker/start_method    process
    worker/thread          thread
    worker/timer           thread)

set(old_headers "")
while(old_names)
    list(POP_FRONT old_names old new)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/old_name.hpp.in ${PROJECT_BINARY_DIR}/old_names/chorus/${old}.hpp @ONLY)
    list(APPEND old_headers ${PROJECT_BINARY_DIR}/old_names/chorus/${old}.hpp)
endwhile()
target_sources(chorus PUBLIC FILE_SET old_names TYPE HEADERS BASE_DIRS ${PROJECT_BINARY_DIR}/old_names FILES ${old_headers})
set_target_properties(chorus PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
