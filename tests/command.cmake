# The command is run and looked at as a user would, from Python.
if(NOT TARGET chorus_command)
    return()
endif()

find_package(nlohmann_json REQUIRED)

chorus_python_test(command/report 120)
chorus_python_test(command/timeline 60)

# What follows from figures, tried with figures that no machine has to have.
set(command_report_parts ../markup.cpp advice.cpp charts.cpp json.cpp page.cpp part.cpp quantities.cpp scales.cpp statistics.cpp)
list(TRANSFORM command_report_parts PREPEND ${PROJECT_SOURCE_DIR}/command/report/)
foreach(name advice page)
    chorus_test(command/${name})
    target_sources(command_${name}_test PRIVATE ${command_report_parts})
    target_include_directories(command_${name}_test PRIVATE ${PROJECT_BINARY_DIR}/command/generated ${PROJECT_SOURCE_DIR}/command)
    target_link_libraries(command_${name}_test PRIVATE nlohmann_json::nlohmann_json)
endforeach()

chorus_test_program(watched)
chorus_python_test(command/top 120)
