# A well-known library with threads of its own. What holds with it is tested without foreign packages in foreign.cmake.
find_package(PkgConfig REQUIRED)
pkg_check_modules(openblas REQUIRED IMPORTED_TARGET openblas)
chorus_test_program(matrix_product)
target_link_libraries(program_matrix_product PRIVATE PkgConfig::openblas)
chorus_test(foreign/linear_algebra)
add_dependencies(foreign_linear_algebra_test program_matrix_product)
