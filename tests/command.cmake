# The command is run and looked at as a user would, from Python.
if(NOT TARGET chorus_command)
    return()
endif()

find_package(nlohmann_json REQUIRED)

chorus_python_test(command/report 120)
chorus_python_test(command/timeline 60)

# What follows from figures, tried with figures that no machine has to have.
foreach(name advice page)
    chorus_test(command/${name} TOGETHER)
    target_link_libraries(command_${name}_test PRIVATE chorus_command_parts)
endforeach()

chorus_test_program(watched)
chorus_python_test(command/top 120)
